/*
 * old.c
 *		What the SQL of earlier versions calls.
 *
 * A function whose arguments or result have changed is another function in C:
 * between the installation of a new library and ALTER EXTENSION ... UPDATE the
 * old declaration would pass the new one the wrong arguments, and so would the
 * new declaration in a session that has loaded the old library.  The old name
 * stays here for as long as its version can be updated.
 */
#include "postgres.h"

#include "fmgr.h"

#include "pg/compat.h"

#define OLD_FUNCTION(name) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		raise_old(); \
	}

pg_noreturn static void raise_old(void);

/* 0.2.0 */
OLD_FUNCTION(idemstore_acquire)
OLD_FUNCTION(idemstore_acquire_all)
OLD_FUNCTION(idemstore_assert_owner)
OLD_FUNCTION(idemstore_cache_fetch)
OLD_FUNCTION(idemstore_cache_get_many)
OLD_FUNCTION(idemstore_cache_set_bytes)
OLD_FUNCTION(idemstore_can_proceed)
OLD_FUNCTION(idemstore_checkpoint)
OLD_FUNCTION(idemstore_complete)
OLD_FUNCTION(idemstore_consume)
OLD_FUNCTION(idemstore_fail)
OLD_FUNCTION(idemstore_fingerprint)
OLD_FUNCTION(idemstore_get_wait_time)
OLD_FUNCTION(idemstore_in_flight_claims)
OLD_FUNCTION(idemstore_lookup)
OLD_FUNCTION(idemstore_rate_limit_status)
OLD_FUNCTION(idemstore_record_request)
OLD_FUNCTION(idemstore_set_adaptive_rate_limit)
OLD_FUNCTION(idemstore_set_cooldown)
OLD_FUNCTION(idemstore_set_nx)
OLD_FUNCTION(idemstore_set_rate_limit)
OLD_FUNCTION(idemstore_set_value)
OLD_FUNCTION(idemstore_start_processing)
OLD_FUNCTION(idemstore_success)

static void
raise_old(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the extension idemstore is older than its library"),
			 errdetail("The library no longer has this function as the extension declares it."),
			 errhint("Run ALTER EXTENSION idemstore UPDATE.")));
}
