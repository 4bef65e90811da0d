/*
 * text.h
 *		Values that come as text or as bytes.
 *
 * Many drivers send a string for whatever it is bound to, and a string read as
 * bytea loses its backslashes.  So text has an argument of its own, and is
 * stored as its UTF-8 bytes, whatever the encoding of the database.
 */
#ifndef IDEM_API_TEXT_H
#define IDEM_API_TEXT_H

#include "fmgr.h"

/* a value's two arguments */
typedef struct IdemTextArgs
{
	int			text_arg;
	const char *text_name;
	int			bytes_arg;
	const char *bytes_name;
} IdemTextArgs;

/* The bytes of one or the other: 22023 for both, NULL for neither. */
extern struct varlena *idem_text_optional_bytes(PG_FUNCTION_ARGS, const IdemTextArgs *args);

/* likewise, but 22004 for neither */
extern struct varlena *idem_text_bytes(PG_FUNCTION_ARGS, const IdemTextArgs *args);

/* 22021 when a database without an encoding holds something else */
extern struct varlena *idem_text_to_utf8(text *value);

/* back: 22021 for what is not UTF-8, 22P05 for what the database cannot hold */
extern text *idem_text_from_utf8(struct varlena *value);

#endif							/* IDEM_API_TEXT_H */
