/*
 * errors.h
 *		The SQLSTATEs of idemstore.
 *
 * Class ID is ours (classes from I on are free for implementations).  The
 * last three characters follow the HTTP status a web service would answer
 * with.  Bad arguments use PostgreSQL's own codes.
 */
#ifndef IDEM_PG_ERRORS_H
#define IDEM_PG_ERRORS_H

#include "utils/elog.h"

/* there is no live record for this key */
#define ERRCODE_IDEM_NO_RECORD		MAKE_SQLSTATE('I', 'D', '4', '0', '4')
/* a wait ended before what it waited for */
#define ERRCODE_IDEM_WAIT_TIMEOUT	MAKE_SQLSTATE('I', 'D', '4', '0', '8')
/* the claim is lost: its fence is not the record's */
#define ERRCODE_IDEM_LOST_CLAIM		MAKE_SQLSTATE('I', 'D', '4', '1', '2')
/* a value is larger than the settings allow */
#define ERRCODE_IDEM_TOO_LARGE		MAKE_SQLSTATE('I', 'D', '4', '1', '3')
/* the record is final already, with other content */
#define ERRCODE_IDEM_ALREADY_FINAL	MAKE_SQLSTATE('I', 'D', '4', '2', '5')
/* no rate limit is set for this resource */
#define ERRCODE_IDEM_NO_LIMIT		MAKE_SQLSTATE('I', 'D', '4', '2', '8')

#endif							/* IDEM_PG_ERRORS_H */
