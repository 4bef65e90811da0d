/*
 * await.h
 *		Waiting for a record to become final.
 */
#ifndef IDEM_ENGINE_AWAIT_H
#define IDEM_ENGINE_AWAIT_H

#include "store/records.h"

/*
 * Wait until the record is final or gone, at most timeout_us.  False when it
 * is gone; raises ID408 at the timeout, or at once for a claim of the own
 * transaction.
 */
extern bool idem_await_final(const text *key, const text *scope,
							 int64 timeout_us, IdemRecord *record);

#endif							/* IDEM_ENGINE_AWAIT_H */
