/*
 * wait.h
 *		Waiting for a record to change, and waking those who wait.
 */
#ifndef IDEM_COMMON_WAIT_H
#define IDEM_COMMON_WAIT_H

#include "storage/lock.h"

#include "store/records.h"

typedef struct IdemWaiter
{
	const IdemFamily *family;
	const text *key;
	const text *scope;
	LOCKTAG		tag;			/* once it is registered */
	bool		is_registered;
	int64		deadline_us;
} IdemWaiter;

extern void idem_wait_init(void);

/*
 * A waiter for the record key, scope that gives up after timeout_us.  The
 * scope is NULL in a family without scopes.
 */
extern void idem_wait_begin(IdemWaiter *waiter, const IdemFamily *family,
							const text *key, const text *scope,
							int64 timeout_us);

/*
 * Sleep until the record may have changed, at most at_most_us: the open
 * transaction blocker has ended or, when there is none, somebody has woken us.
 * A blocker that only locks the row is not waited for to its end, since others
 * may finish the record under its lock.  False when the time is up.  The first
 * call only registers, and the caller must look again.  No relation may be
 * open, no pin held.
 */
extern bool idem_wait_sleep(IdemWaiter *waiter, TransactionId blocker,
							bool is_locker, int64 at_most_us);
extern void idem_wait_end(IdemWaiter *waiter);

/*
 * Have everybody who waits for this record woken when the transaction commits.
 * To be called right after the change, never before it.
 */
extern void idem_wait_wake(const IdemFamily *family, const text *key,
						   const text *scope);

/* A short exclusive lock on a fingerprint of a scope, among insertions of it. */
extern void idem_wait_lock_fingerprint(const text *fingerprint, const text *scope);
extern void idem_wait_unlock_fingerprint(const text *fingerprint, const text *scope);

#endif							/* IDEM_COMMON_WAIT_H */
