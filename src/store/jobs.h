/*
 * jobs.h
 *		The table dedupe_jobs: work in flight, which others wait for.
 *
 * A job is a record whose key is the hash of the work.  Its claim goes by a
 * job id, where that of an idempotency record goes by a fence.
 */
#ifndef IDEM_STORE_JOBS_H
#define IDEM_STORE_JOBS_H

#include "store/records.h"

extern IdemFamily idem_store_jobs;

/* Remove expired jobs.  $1: now, $2: the most rows to remove. */
#define idem_store_jobs_expire_sql \
	"DELETE FROM idemstore.dedupe_jobs WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.dedupe_jobs" \
	" WHERE expires_at OPERATOR(pg_catalog.<=) $1" \
	" ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"

/* The jobs whose hash begins with $1: hash, ctid, expires_at. */
#define idem_store_jobs_prefix_sql \
	"SELECT hash, ctid, expires_at FROM idemstore.dedupe_jobs" \
	" WHERE pg_catalog.starts_with(hash, $1) ORDER BY hash"

#endif							/* IDEM_STORE_JOBS_H */
