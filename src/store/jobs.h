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

/* as the table has it */
extern const char *idem_store_jobs_status_name(IdemStatus status);

/* Remove at most max_rows jobs that have expired at now, as records are. */
extern int64 idem_store_jobs_expire(TimestampTz now, int32 max_rows);

/*
 * Remove the committed jobs whose hash begins so, byte for byte and in the order
 * of their hashes, and show each to removed.
 */
extern void idem_store_jobs_remove_prefix(text *prefix, IdemRecordVisitor removed,
										  void *arg);

#endif							/* IDEM_STORE_JOBS_H */
