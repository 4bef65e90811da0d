/*
 * survey.h
 *		Going over all rows of a table, those of open transactions included.
 */
#ifndef IDEM_STORE_SURVEY_H
#define IDEM_STORE_SURVEY_H

#include "store/table.h"

/*
 * Called for each version that is committed, or open: made or being changed by
 * a transaction that has not ended.  May probe the table.  False ends it.
 */
typedef bool (*IdemSurveyStep) (IdemTable *table, TupleTableSlot *slot,
								bool is_open, void *arg);

/* Every version, also those that are dead or that nobody sees yet. */
extern void idem_store_survey_versions(IdemTable *table, IdemSurveyStep step, void *arg);

/* From this block of the table on, in their order. */
extern void idem_store_survey_from(IdemTable *table, BlockNumber first,
								   IdemSurveyStep step, void *arg);

/*
 * The process whose open transaction this is, or 0: it has ended or is
 * prepared, or this is a standby.
 */
extern int	idem_store_survey_owner(TransactionId xid);

#endif							/* IDEM_STORE_SURVEY_H */
