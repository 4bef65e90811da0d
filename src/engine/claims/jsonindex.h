/*
 * jsonindex.h
 *		What the objects of a JSON text hold, in canonical order.
 */
#ifndef IDEM_CLAIMS_JSONINDEX_H
#define IDEM_CLAIMS_JSONINDEX_H

typedef struct IdemJsonMember
{
	const char *key;			/* in UTF-8, as jsonstring.h has it */
	int			key_len;
	int			n_objects;		/* how many objects begin before the value */
	const char *value;			/* where it stands in the text */
} IdemJsonMember;

typedef struct IdemJsonObject
{
	int			first;			/* of its members, which stand together */
	int			n;
	int			n_objects;		/* how many objects begin before its end */
	const char *end;			/* where the text goes on behind it */
} IdemJsonObject;

typedef struct IdemJsonIndex
{
	IdemJsonObject *objects;	/* as they begin in the text */
	int			n_objects;
	int			max_objects;
	IdemJsonMember *members;	/* of an object sorted by the bytes of their
								 * keys, each key once */
	int			n_members;
	int			max_members;
} IdemJsonIndex;

/* Read a JSON text in UTF-8.  22P02 if it is none. */
extern void idem_claims_jsonindex_build(IdemJsonIndex *index, const char *json, int len);

/* Take n members off an object: names in any order, of which key and key_len count. */
extern void idem_claims_jsonindex_exclude(IdemJsonIndex *index, int object,
										  IdemJsonMember *names, int n);

#endif							/* IDEM_CLAIMS_JSONINDEX_H */
