/*
 * idemstore.c
 *		Idempotency, dedupe, cache and rate limits inside PostgreSQL.
 *
 * The words, each with one meaning in SQL, C and documentation:
 *
 * key			names one request or piece of work, chosen by the caller
 * scope		a namespace of keys: a tenant, an endpoint; '' by default
 * fingerprint	a hash of the request's content: same key, other fingerprint
 *				is another request under a used key
 * record		the row of a key: who works on it, and then its response
 * claim		the right to do the work of a key, given to one caller at a time
 * owner		who holds the claim
 * fence		the number of a claim; it grows with every claim of a key, and a
 *				call with a stale one changes nothing
 * lease		how long a claim is held; afterwards it may be taken over
 * attempt		which claim of the record this is, from 1
 * waiter		a session that sleeps until a record changes
 * job			a piece of work in flight: a record that others wait for
 * hash			the key of a job: what makes two pieces of work the same
 * outcome		what a call came to; the statistics count calls by it
 * in flight	claimed and not final, whether that is committed or not
 * live			a record is live exactly while now < expires_at; an expired one
 *				is absent for every function
 * final		complete, or failed for good; a final record never changes
 *
 * entry		a value of the cache under its key, and the tags that it has
 * mark			says which transaction last invalidated a tag or a prefix; of a
 *				removed entry its trace says so
 * epoch		since when no mark is lost
 *
 * resource		what a rate limit is on: a user, an endpoint, an upstream
 * quota		how many requests, or units of cost, a period admits
 * policy		one of several limits of a resource, all of which hold
 * shadow		a limit in it decides and takes, and denies nothing
 * log			what is remembered of the past requests under one policy
 * run			requests of a log that count as if they came with the latest
 * split		of an adaptive limit's quota between users and background
 * origin		who is left alone during a cooldown
 * slot			a row that is changed in place, outside of transactions
 * bucket		the pages where rows of the same hash lie, a chain under one lock
 * stray		a row that a split has moved, and not yet forgotten
 */
#include "postgres.h"

#include "fmgr.h"

#include "engine/common/wait.h"
#include "pg/guc.h"
#include "store/table.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	idem_guc_init();
	idem_store_table_init();
	idem_wait_init();
}
