/*
 * attempt.h
 *		Work whose error is only an answer.
 */
#ifndef IDEM_PG_ATTEMPT_H
#define IDEM_PG_ATTEMPT_H

/*
 * Do the work in a subtransaction that is rolled back, whatever comes of it:
 * locks, settings and memory are as before.  Returns the error that it ended
 * with, in the caller's memory context, or NULL.
 */
extern ErrorData *idem_attempt(void (*work) (void *argument), void *argument);

/*
 * The same, but what is done is kept unless there is an error, and cancel and
 * shutdown are errors as ever.
 */
extern ErrorData *idem_attempt_to_keep(void (*work) (void *argument), void *argument);

/* Is it an operator's, as cancel and shutdown are?  Class 57. */
extern bool idem_attempt_is_intervention(const ErrorData *error);

#endif							/* IDEM_PG_ATTEMPT_H */
