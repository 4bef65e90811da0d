/*
 * fences.h
 *		The sequence that numbers the claims.
 */
#ifndef IDEM_STORE_FENCES_H
#define IDEM_STORE_FENCES_H

/*
 * A number that is larger than former, and than all that were given before, by
 * whichever session.  No rollback and no crash gives it again.
 */
extern int64 idem_store_fences_next(int64 former);

/*
 * Is this one of the session's own the last that was given to anybody?  False
 * also when that cannot be told at once.
 */
extern bool idem_store_fences_is_last(int64 fence);

#endif							/* IDEM_STORE_FENCES_H */
