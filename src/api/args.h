/*
 * args.h
 *		Decoding and checking the arguments of SQL-callable functions.
 *
 * All raise 22004 for a NULL that is not allowed, 22023 for a bad value and
 * 54000 for a name that is too long.  The number of an argument counts from 0.
 */
#ifndef IDEM_API_ARGS_H
#define IDEM_API_ARGS_H

#include "fmgr.h"
#include "datatype/timestamp.h"

#include "engine/claims/change.h"
#include "pg/compat.h"

/* the longest names, in bytes */
#define IDEM_MAX_KEY_SIZE			1024
#define IDEM_MAX_SCOPE_SIZE			255
#define IDEM_MAX_FINGERPRINT_SIZE	1024
#define IDEM_MAX_OWNER_SIZE			255
#define IDEM_MAX_RECOVERY_POINT_SIZE	255

/* Refuse to write where PostgreSQL would: 25006, or 25000 in parallel mode. */
extern void idem_args_require_writable(const char *function);

extern void idem_args_require_not_null(PG_FUNCTION_ARGS, int arg, const char *name);

extern text *idem_args_key(PG_FUNCTION_ARGS, int arg);

/* as a key, under another name */
extern text *idem_args_long_name(PG_FUNCTION_ARGS, int arg, const char *name);
extern void idem_args_check_long_name(const text *value, const char *name);

extern text *idem_args_scope(PG_FUNCTION_ARGS, int arg);

/* the key, always argument 0, the scope, and the fence if it is not NULL */
extern IdemTarget idem_args_target(PG_FUNCTION_ARGS, int fence_arg, int scope_arg);

/* NULL for an SQL NULL, where it is optional */
extern text *idem_args_name(PG_FUNCTION_ARGS, int arg, const char *name,
							int max_size);
extern text *idem_args_optional_name(PG_FUNCTION_ARGS, int arg, const char *name,
									 int max_size);

/* bounded by idemstore.max_body_size (ID413) */
extern struct varlena *idem_args_optional_body(PG_FUNCTION_ARGS, int arg,
											   const char *name);

extern bool idem_args_bool(PG_FUNCTION_ARGS, int arg, const char *name);
extern int32 idem_args_positive_int(PG_FUNCTION_ARGS, int arg, const char *name);
extern int32 idem_args_natural_int(PG_FUNCTION_ARGS, int arg, const char *name);
extern int64 idem_args_natural_bigint(PG_FUNCTION_ARGS, int arg, const char *name);
extern int64 idem_args_bigint(PG_FUNCTION_ARGS, int arg, const char *name);
extern void idem_args_check_natural(int64 value, const char *name);
extern float8 idem_args_float(PG_FUNCTION_ARGS, int arg, const char *name);
extern TimestampTz idem_args_instant(PG_FUNCTION_ARGS, int arg, const char *name);

/* Raise 22023 with a hint about units, or do so unless it is within ten years. */
pg_noreturn extern void idem_args_raise_duration(const Interval *value,
												 const char *message);
extern void idem_args_check_duration(const Interval *value, const char *name);

/* more than zero and at most ten years, without months */
extern Interval idem_args_fixed_period(PG_FUNCTION_ARGS, int arg, const char *name);

#endif							/* IDEM_API_ARGS_H */
