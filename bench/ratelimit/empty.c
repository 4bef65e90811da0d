/*
 * empty.c
 *		What the server itself takes for a call of a C function with the
 *		arguments of acquire().
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(empty);

Datum
empty(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}
