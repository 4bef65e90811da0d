/*
 * jsonindex.c
 *		What the objects of a JSON text hold, in canonical order.
 *
 * Only members of objects are noted, and where their values stand: all else is
 * read in place once more by whoever walks over the text.  Nothing recurses, so
 * that the nesting is bounded by memory alone, and nothing costs more than
 * n log n: the text comes from strangers, and so the sort is a merge sort.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/claims/jsonindex.h"
#include "engine/claims/jsonstring.h"
#include "engine/claims/jsontoken.h"

/* a container whose end is not read yet */
typedef struct Open
{
	bool		is_empty;		/* so far */
	int			object;			/* -1 for an array */
	int			first;			/* of its members in pending */
} Open;

typedef struct Builder
{
	IdemJsonReader reader;
	IdemJsonIndex *index;
	Open	   *open;			/* the innermost is the last */
	int			n_open;
	int			max_open;
	IdemJsonMember *pending;	/* members of open objects, as they come */
	int			n_pending;
	int			max_pending;
} Builder;

static void read_value(Builder *builder);
static void read_next(Builder *builder);
static void read_key(Builder *builder);
static void begin_container(Builder *builder, bool is_object);
static void end_container(Builder *builder);
static void end_object(Builder *builder, IdemJsonObject *object, int first);
static IdemJsonMember *sort_members(IdemJsonMember *members, IdemJsonMember *scratch, int n);
static void merge_members(const IdemJsonMember *from, int middle, int end, IdemJsonMember *to);
static int	drop_repeated(IdemJsonMember *members, int n);
static int	compare_keys(const IdemJsonMember *a, const IdemJsonMember *b);
static void *with_room(void *array, int n, int *max, Size size);

void
idem_claims_jsonindex_build(IdemJsonIndex *index, const char *json, int len)
{
	Builder		builder = {.reader = {json, json + len}, .index = index};

	memset(index, 0, sizeof(IdemJsonIndex));
	read_value(&builder);
	while (builder.n_open > 0)
	{
		CHECK_FOR_INTERRUPTS();
		read_next(&builder);
	}
	idem_claims_jsontoken_end(&builder.reader);
}

/* all of it, or where it is a container, its begin */
static void
read_value(Builder *builder)
{
	IdemJsonToken token = idem_claims_jsontoken_next(&builder->reader);

	if (token.kind == IDEM_JSON_OBJECT || token.kind == IDEM_JSON_ARRAY)
		begin_container(builder, token.kind == IDEM_JSON_OBJECT);
}

/* the innermost container's next element or member, or its end */
static void
read_next(Builder *builder)
{
	Open	   *open = &builder->open[builder->n_open - 1];
	bool		is_object = open->object >= 0;

	if (idem_claims_jsontoken_skip(&builder->reader, is_object ? '}' : ']'))
	{
		end_container(builder);
		return;
	}
	if (!open->is_empty && !idem_claims_jsontoken_skip(&builder->reader, ','))
		idem_claims_jsontoken_reject();
	open->is_empty = false;
	if (is_object)
		read_key(builder);
	read_value(builder);
}

static void
read_key(Builder *builder)
{
	IdemJsonToken token = idem_claims_jsontoken_next(&builder->reader);
	IdemJsonMember *member;

	if (token.kind != IDEM_JSON_STRING || !idem_claims_jsontoken_skip(&builder->reader, ':'))
		idem_claims_jsontoken_reject();
	builder->pending = with_room(builder->pending, builder->n_pending + 1,
								 &builder->max_pending, sizeof(IdemJsonMember));
	member = &builder->pending[builder->n_pending++];
	member->key = idem_claims_jsonstring_decode(&token, &member->key_len);
	member->value = builder->reader.at;
	member->n_objects = builder->index->n_objects;
}

static void
begin_container(Builder *builder, bool is_object)
{
	IdemJsonIndex *index = builder->index;
	Open	   *open;

	builder->open = with_room(builder->open, builder->n_open + 1, &builder->max_open, sizeof(Open));
	open = &builder->open[builder->n_open++];
	open->is_empty = true;
	open->object = -1;
	open->first = builder->n_pending;
	if (is_object)
	{
		index->objects = with_room(index->objects, index->n_objects + 1,
								   &index->max_objects, sizeof(IdemJsonObject));
		open->object = index->n_objects++;
	}
}

static void
end_container(Builder *builder)
{
	Open	   *open = &builder->open[--builder->n_open];

	if (open->object >= 0)
		end_object(builder, &builder->index->objects[open->object], open->first);
}

/* move its members from the pending ones to where they stay */
static void
end_object(Builder *builder, IdemJsonObject *object, int first)
{
	IdemJsonIndex *index = builder->index;
	int			n = builder->n_pending - first;
	IdemJsonMember *members;
	IdemJsonMember *sorted;

	index->members = with_room(index->members, index->n_members + n,
							   &index->max_members, sizeof(IdemJsonMember));
	members = index->members + index->n_members;
	sorted = sort_members(builder->pending + first, members, n);
	if (sorted != members)
		memcpy(members, sorted, n * sizeof(IdemJsonMember));
	builder->n_pending = first;

	object->first = index->n_members;
	object->n = drop_repeated(members, n);
	object->n_objects = index->n_objects;
	object->end = builder->reader.at;
	index->n_members += object->n;
}

/* Returns the one of both arrays that is sorted then.  Equal ones keep their order. */
static IdemJsonMember *
sort_members(IdemJsonMember *members, IdemJsonMember *scratch, int n)
{
	int64		width;
	int64		i;

	for (width = 1; width < n; width *= 2)
	{
		IdemJsonMember *from = members;

		for (i = 0; i < n; i += 2 * width)
			merge_members(from + i, Min(width, n - i), Min(2 * width, n - i), scratch + i);
		members = scratch;
		scratch = from;
	}
	return members;
}

/* two runs that follow each other into one */
static void
merge_members(const IdemJsonMember *from, int middle, int end, IdemJsonMember *to)
{
	int			left = 0;
	int			right = middle;

	CHECK_FOR_INTERRUPTS();
	while (left < middle || right < end)
	{
		if (right == end || (left < middle && compare_keys(&from[left], &from[right]) <= 0))
			*to++ = from[left++];
		else
			*to++ = from[right++];
	}
}

/* of members with one key the last counts; returns how many are left */
static int
drop_repeated(IdemJsonMember *members, int n)
{
	int			n_left = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (i + 1 == n || compare_keys(&members[i], &members[i + 1]) != 0)
			members[n_left++] = members[i];
	}
	return n_left;
}

static int
compare_keys(const IdemJsonMember *a, const IdemJsonMember *b)
{
	int			result = memcmp(a->key, b->key, Min(a->key_len, b->key_len));

	return result != 0 ? result : a->key_len - b->key_len;
}

void
idem_claims_jsonindex_exclude(IdemJsonIndex *index, int object, IdemJsonMember *names, int n)
{
	IdemJsonObject *from = &index->objects[object];
	IdemJsonMember *members = index->members + from->first;
	IdemJsonMember *name = sort_members(names, palloc_extended(n * sizeof(IdemJsonMember), MCXT_ALLOC_HUGE), n);
	IdemJsonMember *end = name + n;
	int			n_left = 0;
	int			i;

	for (i = 0; i < from->n; i++)
	{
		while (name < end && compare_keys(name, &members[i]) < 0)
			name++;
		if (name == end || compare_keys(name, &members[i]) != 0)
			members[n_left++] = members[i];
	}
	from->n = n_left;
}

/* the array, or a larger one, so that it has room for n */
static void *
with_room(void *array, int n, int *max, Size size)
{
	if (n <= *max)
		return array;
	*max = Max(Max(*max, n) * 2, 16);
	return array == NULL ? palloc_extended(*max * size, MCXT_ALLOC_HUGE) : repalloc_huge(array, *max * size);
}
