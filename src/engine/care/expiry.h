/*
 * expiry.h
 *		Removing what has expired.
 */
#ifndef IDEM_CARE_EXPIRY_H
#define IDEM_CARE_EXPIRY_H

/* in place of a number of rows: it could not be done */
#define IDEM_EXPIRY_FAILED		(-1)

/* called once for every relation that expires, with the rows removed from it */
typedef void (*IdemExpiryReport) (const char *relation, int64 removed, void *arg);

/*
 * Remove at most max_rows expired rows of every relation, skipping those that
 * another transaction has locked.
 * What fails in one relation is a WARNING, and does not keep it from the others;
 * no lock on a relation is waited for.
 */
extern void idem_care_expiry_run(int32 max_rows, IdemExpiryReport report, void *arg);

/*
 * Did the last run of this session leave anything that it had no room for, or
 * have the runs since begin not yet looked at all that there is?
 */
extern void idem_care_expiry_begin(void);
extern bool idem_care_expiry_has_more(void);

/*
 * Hold off all others of this database that call it, to the end of the
 * transaction.  False, at once, when one of them does so.
 */
extern bool idem_care_expiry_try_lock(void);

#endif							/* IDEM_CARE_EXPIRY_H */
