/*
 * args.h
 *		Decoding and checking the arguments of the cache's functions.
 */
#ifndef IDEM_API_CACHE_ARGS_H
#define IDEM_API_CACHE_ARGS_H

#include "fmgr.h"
#include "utils/array.h"

/* not NULL; bounded by idemstore.cache_max_entry_size (ID413) */
extern struct varlena *idem_cache_args_value(PG_FUNCTION_ARGS, int arg);
extern struct varlena *idem_cache_args_bytes(PG_FUNCTION_ARGS, int text_arg, int bytes_arg);
extern struct varlena *idem_cache_args_check_value(Datum value);

/*
 * Tags: sorted, no two the same, none NULL or empty, at most IDEM_MAX_TAGS.
 * NULL for an SQL NULL.
 */
extern ArrayType *idem_cache_args_optional_tags(PG_FUNCTION_ARGS, int arg);

/* as above, not NULL and as many as there are */
extern ArrayType *idem_cache_args_any_tags(PG_FUNCTION_ARGS, int arg);
extern ArrayType *idem_cache_args_one_tag(PG_FUNCTION_ARGS, int arg);

/* the keys of an array, checked like one; not NULL */
extern int	idem_cache_args_keys(PG_FUNCTION_ARGS, int arg, Datum **keys);

/* the numbers 0 to n - 1 in the order of the keys; equal ones as they come */
extern int *idem_cache_args_order(const Datum *keys, int n);

/* one dimension, none NULL unless allowed */
extern void idem_cache_args_check_array(const ArrayType *array, const char *name,
										bool may_have_nulls);

#endif							/* IDEM_API_CACHE_ARGS_H */
