/*
 * startargs.c
 *		The arguments of start_processing() that a plan leaves out.
 *
 * For each argument of a function in FROM, the executor makes an expression of
 * its own whenever a statement runs.  So whoever plans a call leaves out the
 * constants at its end that are as in the table below, and the call puts them
 * back: what the SQL function has for defaults does not matter here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "nodes/makefuncs.h"
#include "nodes/supportnodes.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "api/claims/startargs.h"

PG_FUNCTION_INFO_V1(idemstore_start_processing_support);

static const NullableDatum *values_left_out(void);
static int	count_needed(const List *args);
static bool may_be_left_out(const Node *arg, const NullableDatum *value);

void
idem_claims_startargs_restore(PG_FUNCTION_ARGS, FunctionCallInfo call)
{
	int			n = PG_NARGS();

	memcpy(call, fcinfo, SizeForFunctionCallInfo(n));
	call->nargs = START_ARGS;
	memcpy(call->args + n, values_left_out() + n,
		   (START_ARGS - n) * sizeof(NullableDatum));
}

/* The key is never left out. */
static const NullableDatum *
values_left_out(void)
{
	static varattrib_4b no_scope;
	static Interval no_wait;
	static const NullableDatum values[START_ARGS] = {
		[START_FINGERPRINT] = {.isnull = true},
		[START_TTL] = {.isnull = true},
		[START_SCOPE] = {(Datum) &no_scope},
		[START_LEASE] = {.isnull = true},
		[START_WAIT] = {(Datum) &no_wait},
		[START_OWNER] = {.isnull = true},
		[START_TAKEOVER] = {(Datum) true},
		[START_UNIQUE_FINGERPRINT] = {(Datum) false},
		[START_CONTEXT] = {.isnull = true},
	};

	SET_VARSIZE(&no_scope, VARHDRSZ);
	return values;
}

/* the support function of start_processing() */
Datum
idemstore_start_processing_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	FuncExpr   *call;
	int			n;

	if (!IsA(request, SupportRequestSimplify))
		PG_RETURN_POINTER(NULL);
	call = ((SupportRequestSimplify *) request)->fcall;
	n = count_needed(call->args);
	if (n == list_length(call->args))
		PG_RETURN_POINTER(NULL);
	PG_RETURN_POINTER(makeFuncExpr(call->funcid, call->funcresulttype,
								   list_copy_head(call->args, n),
								   call->funccollid, call->inputcollid,
								   call->funcformat));
}

static int
count_needed(const List *args)
{
	const NullableDatum *values = values_left_out();
	int			n = list_length(args);

	if (n > START_ARGS)
		return n;
	while (n > 1 && may_be_left_out(list_nth(args, n - 1), &values[n - 1]))
		n--;
	return n;
}

static bool
may_be_left_out(const Node *arg, const NullableDatum *value)
{
	const Const *constant = (const Const *) arg;

	if (!IsA(arg, Const) || constant->constisnull != value->isnull)
		return false;
	return value->isnull ||
		datumIsEqual(constant->constvalue, value->value, constant->constbyval,
					 constant->constlen);
}
