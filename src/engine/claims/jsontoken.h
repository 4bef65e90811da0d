/*
 * jsontoken.h
 *		JSON text, read token by token.
 */
#ifndef IDEM_CLAIMS_JSONTOKEN_H
#define IDEM_CLAIMS_JSONTOKEN_H

#include "pg/compat.h"

/* where a reader of JSON text in UTF-8 stands */
typedef struct IdemJsonReader
{
	const char *at;
	const char *end;
} IdemJsonReader;

/* what a value begins with */
typedef enum IdemJsonKind
{
	IDEM_JSON_OBJECT,
	IDEM_JSON_ARRAY,
	IDEM_JSON_STRING,
	IDEM_JSON_NUMBER,
	IDEM_JSON_LITERAL			/* true, false, null */
} IdemJsonKind;

typedef struct IdemJsonToken
{
	IdemJsonKind kind;
	const char *start;			/* of a string, what is between the quotes */
	int			len;
} IdemJsonToken;

/* The value that begins here: all of a scalar, of a container its bracket. */
extern IdemJsonToken idem_claims_jsontoken_next(IdemJsonReader *reader);

/* True, and past it, if the next character but white space is this one. */
extern bool idem_claims_jsontoken_skip(IdemJsonReader *reader, char punctuation);

/* 22P02 if anything but white space follows. */
extern void idem_claims_jsontoken_end(IdemJsonReader *reader);

/* 22P02: this is no JSON. */
pg_noreturn extern void idem_claims_jsontoken_reject(void);

#endif							/* IDEM_CLAIMS_JSONTOKEN_H */
