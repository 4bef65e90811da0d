/*
 * expiry.h
 *		Removing what has expired.
 */
#ifndef IDEM_ENGINE_EXPIRY_H
#define IDEM_ENGINE_EXPIRY_H

/* called once for every relation that expires, with the rows removed from it */
typedef void (*IdemExpiryReport) (const char *relation, int64 removed, void *arg);

/*
 * Remove at most max_rows expired rows of every relation, skipping those that
 * another transaction has locked.  Runs SQL with the rights of the caller.
 */
extern void idem_expiry_run(int32 max_rows, IdemExpiryReport report, void *arg);

#endif							/* IDEM_ENGINE_EXPIRY_H */
