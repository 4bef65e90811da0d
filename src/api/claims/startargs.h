/*
 * startargs.h
 *		The arguments of start_processing(), and which a plan may leave out.
 */
#ifndef IDEM_API_CLAIMS_STARTARGS_H
#define IDEM_API_CLAIMS_STARTARGS_H

#include "fmgr.h"

enum
{
	START_KEY,
	START_FINGERPRINT,
	START_TTL,
	START_SCOPE,
	START_LEASE,
	START_WAIT,
	START_OWNER,
	START_TAKEOVER,
	START_UNIQUE_FINGERPRINT,
	START_CONTEXT,
	START_ARGS
};

/* Make a call with all arguments; it must have room for START_ARGS. */
extern void idem_claims_startargs_restore(PG_FUNCTION_ARGS, FunctionCallInfo call);

#endif							/* IDEM_API_CLAIMS_STARTARGS_H */
