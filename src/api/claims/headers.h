/*
 * headers.h
 *		The headers of a response as an argument.
 */
#ifndef IDEM_API_CLAIMS_HEADERS_H
#define IDEM_API_CLAIMS_HEADERS_H

#include "fmgr.h"

/*
 * response_headers, or NULL for an SQL NULL; 22023 unless they are a JSON
 * object or an array of pairs.
 */
extern struct varlena *idem_claims_headers_arg(PG_FUNCTION_ARGS, int arg);

#endif							/* IDEM_API_CLAIMS_HEADERS_H */
