/*
 * attempt.c
 *		Work whose error is only an answer.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "pg/attempt.h"

static ErrorData *attempt(void (*work) (void *argument), void *argument, bool is_kept);

ErrorData *
idem_attempt(void (*work) (void *argument), void *argument)
{
	return attempt(work, argument, false);
}

ErrorData *
idem_attempt_to_keep(void (*work) (void *argument), void *argument)
{
	ErrorData  *error = attempt(work, argument, true);

	if (error != NULL && idem_attempt_is_intervention(error))
		ReThrowError(error);
	return error;
}

static ErrorData *
attempt(void (*work) (void *argument), void *argument, bool is_kept)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		work(argument);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (is_kept && error == NULL)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	return error;
}

bool
idem_attempt_is_intervention(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}
