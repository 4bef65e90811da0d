/*
 * list.c
 *		What rate limits remember, and cooldowns, by the beginnings of names.
 *
 * Of any number of names no more is kept than twice what is wanted: when so
 * many are gathered, they are sorted and the worse half is let go.
 */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/limits/list.h"
#include "engine/limits/take.h"
#include "pg/clock.h"
#include "pg/name.h"
#include "slots/list.h"
#include "store/limits/limits.h"

/* names that are forgotten at once */
#define BATCH			1000

/* room at first */
#define FEW				64

/* Whatever is gathered, in elements of one size, the best first when sorted. */
typedef struct Best
{
	char	   *elements;
	Size		element_size;
	int			count;
	int			allocated;
	int			wanted;
	int			(*compare) (const void *a, const void *b);
	void		(*copy) (void *element);	/* what it points to */
	void		(*let_go) (void *element);
} Best;

typedef void (*RowVisitor) (const text *name, const IdemSlotRow *row, void *arg);

/* a look at names that are forgotten in batches */
typedef struct Clearing
{
	const text *names[BATCH];
	int			count;
	int64		cleared;
} Clearing;

static void visit_names(IdemTableInfo *table, const text *prefix, RowVisitor visit, void *arg);
static void add_left(const text *resource, const IdemSlotRow *row, void *arg);
static void add_cooldown(const text *origin, const IdemSlotRow *row, void *arg);
static void add(Best *best, const void *element);
static void sort(Best *best);
static void copy_left(void *element);
static void let_left_go(void *element);
static void copy_cooldown(void *element);
static void let_cooldown_go(void *element);
static int	compare_left(const void *a, const void *b);
static int	compare_cooldowns(const void *a, const void *b);
static void clear_one(const text *resource, const IdemSlotRow *row, void *arg);
static void clear_batch(Clearing *clearing);

IdemLimitLeft *
idem_limits_list_left(const text *prefix, int max_rows, int *nrows)
{
	Best		best = {.element_size = sizeof(IdemLimitLeft), .wanted = max_rows,
	.compare = compare_left, .copy = copy_left, .let_go = let_left_go};

	visit_names(&idem_store_limits_state, prefix, add_left, &best);
	sort(&best);
	*nrows = best.count;
	return (IdemLimitLeft *) best.elements;
}

/* Visit the live rows. */
static void
visit_names(IdemTableInfo *table, const text *prefix, RowVisitor visit, void *arg)
{
	Relation	rel = idem_store_table_open_relation(table, AccessShareLock);
	TimestampTz now = idem_clock_now();
	IdemSlotsList list;
	IdemSlotRow row;

	idem_slots_list_begin(&list, rel);
	while (idem_slots_list_next(&list, &row) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (now < *row.expires_at && idem_name_begins_with(row.key, prefix))
			visit(row.key, &row, arg);
	}
	idem_slots_list_end(&list);
	relation_close(rel, AccessShareLock);
}

static void
add_left(const text *resource, const IdemSlotRow *row, void *arg)
{
	const IdemPolicies *policies = idem_limits_search(resource);
	IdemRateCall call = {.resource = resource};
	IdemRateAnswer answers[IDEM_MAX_POLICIES];
	IdemLimitLeft left = {.resource = resource};
	int			nanswers;
	int			i;

	if (policies == NULL)
	{
		add(arg, &left);
		return;
	}
	nanswers = idem_limits_take_row(&call, policies, row, answers);
	for (i = 0; i < nanswers; i++)
	{
		left.policy = answers[i].policy;
		left.quota = answers[i].verdict.quota;
		left.remaining = answers[i].verdict.remaining;
		left.reset_at = answers[i].verdict.reset_at;
		add(arg, &left);
	}
}

/* The element's names are copied once there is room for it. */
static void
add(Best *best, const void *element)
{
	char	   *place;

	if (best->wanted == 0)
		return;
	if (best->count == best->allocated && best->count >= 2 * (int64) best->wanted)
		sort(best);
	else if (best->count == best->allocated)
	{
		best->allocated = best->allocated == 0 ? FEW : 2 * best->allocated;
		best->elements = best->elements == NULL ?
			palloc(best->allocated * best->element_size) :
			repalloc_huge(best->elements, best->allocated * best->element_size);
	}
	place = best->elements + best->count++ * best->element_size;
	memcpy(place, element, best->element_size);
	best->copy(place);
}

/* Leave no more than are wanted. */
static void
sort(Best *best)
{
	if (best->count > 0)
		qsort(best->elements, best->count, best->element_size, best->compare);
	while (best->count > best->wanted)
		best->let_go(best->elements + --best->count * best->element_size);
}

static void
copy_left(void *element)
{
	IdemLimitLeft *left = element;

	left->resource = DatumGetTextPCopy(PointerGetDatum(left->resource));
	if (left->policy != NULL)
		left->policy = pstrdup(left->policy);
}

static void
let_left_go(void *element)
{
	IdemLimitLeft *left = element;

	pfree((void *) left->resource);
	if (left->policy != NULL)
		pfree((void *) left->policy);
}

static int
compare_left(const void *a, const void *b)
{
	const IdemLimitLeft *left = a;
	const IdemLimitLeft *right = b;
	int			order;

	if ((left->policy == NULL) != (right->policy == NULL))
		return left->policy == NULL ? 1 : -1;
	if (left->remaining != right->remaining)
		return left->remaining < right->remaining ? -1 : 1;
	if (left->reset_at != right->reset_at)
		return left->reset_at > right->reset_at ? -1 : 1;
	order = idem_name_compare(left->resource, right->resource);
	return order != 0 || left->policy == NULL ? order : strcmp(left->policy, right->policy);
}

IdemCooldown *
idem_limits_list_cooldowns(const text *prefix, int max_rows, int *nrows)
{
	Best		best = {.element_size = sizeof(IdemCooldown), .wanted = max_rows,
	.compare = compare_cooldowns, .copy = copy_cooldown, .let_go = let_cooldown_go};

	visit_names(&idem_store_limits_cooldowns, prefix, add_cooldown, &best);
	sort(&best);
	*nrows = best.count;
	return (IdemCooldown *) best.elements;
}

static void
add_cooldown(const text *origin, const IdemSlotRow *row, void *arg)
{
	IdemCooldown cooldown = {origin, *row->expires_at};

	add(arg, &cooldown);
}

static void
copy_cooldown(void *element)
{
	IdemCooldown *cooldown = element;

	cooldown->origin = DatumGetTextPCopy(PointerGetDatum(cooldown->origin));
}

static void
let_cooldown_go(void *element)
{
	pfree((void *) ((IdemCooldown *) element)->origin);
}

static int
compare_cooldowns(const void *a, const void *b)
{
	const IdemCooldown *left = a;
	const IdemCooldown *right = b;

	if (left->until != right->until)
		return left->until > right->until ? -1 : 1;
	return idem_name_compare(left->origin, right->origin);
}

int64
idem_limits_list_clear(const text *prefix)
{
	Clearing   *clearing = palloc0(sizeof(Clearing));

	visit_names(&idem_store_limits_state, prefix, clear_one, clearing);
	clear_batch(clearing);
	return clearing->cleared;
}

static void
clear_one(const text *resource, const IdemSlotRow *row, void *arg)
{
	Clearing   *clearing = arg;

	if (clearing->count == BATCH)
		clear_batch(clearing);
	clearing->names[clearing->count++] = DatumGetTextPCopy(PointerGetDatum(resource));
}

static void
clear_batch(Clearing *clearing)
{
	int			i;

	for (i = 0; i < clearing->count; i++)
	{
		clearing->cleared += idem_limits_take_reset(clearing->names[i]);
		pfree((void *) clearing->names[i]);
	}
	clearing->count = 0;
}
