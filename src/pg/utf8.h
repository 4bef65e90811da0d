/*
 * utf8.h
 *		Text of any database as UTF-8.
 */
#ifndef IDEM_PG_UTF8_H
#define IDEM_PG_UTF8_H

#include "c.h"

/*
 * The text's bytes in UTF-8, which are its own where nothing is to be converted.
 * 22021 when a database without an encoding holds something else, 22P05 for a
 * character that UTF-8 has not.
 */
extern const char *idem_utf8_encode(const text *value, int *len);

#endif							/* IDEM_PG_UTF8_H */
