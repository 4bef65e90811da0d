/*
 * snapshot.c
 *		As of when a value is computed.
 *
 * A value may come from the rows of a query that began before the statement which
 * fetches: a loop, a cursor, a function that is called on rows.  What a session
 * has in use is not to be had as a list, but the outermost query is run by a
 * portal, and so is each one that goes on between fetches; what runs inside one
 * of them has a later snapshot.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "engine/cache/snapshot.h"
#include "pg/xid.h"

/* a lease keeps no more transactions than that, open when its snapshot was taken */
#define MAX_OPEN	64

/* what is in use */
typedef struct InUse
{
	Snapshot	oldest;
	int			nportals;
	bool		is_unknown;		/* a query runs, under which snapshot is
								 * unknown */
	bool		is_lost;		/* a query has outlived its snapshot */
} InUse;

static void look_at_portals(InUse *in_use);
static bool is_alone(Portal portal);
static void look_at_named(InUse *in_use);
static void look_at_names(InUse *in_use, ReturnSetInfo *result);
static void look_at(InUse *in_use, Portal portal);
static void consider(InUse *in_use, Snapshot snapshot);
static bool is_older(Snapshot a, Snapshot b);
static struct varlena *encode(Snapshot snapshot);
static int	collect_open(Snapshot snapshot, uint64 *open);
static int	compare(const void *a, const void *b);
static struct varlena *encode_numbers(uint64 xmin, uint64 xmax, const uint64 *open, int nopen);

struct varlena *
idem_cache_snapshot_oldest(void)
{
	InUse		in_use = {.oldest = GetActiveSnapshot()};

	look_at_portals(&in_use);
	if (in_use.is_lost)
		return encode_numbers(FirstNormalTransactionId, FirstNormalTransactionId, NULL, 0);
	if (in_use.is_unknown || in_use.nportals == 0)
	{
		uint64		xmin = U64FromFullTransactionId(idem_xid_widen(MyProc->xmin));

		return encode_numbers(xmin, xmin, NULL, 0);
	}
	return encode(in_use.oldest);
}

/* The one that runs is in no list when EXECUTE has made it, nor is the unnamed one. */
static void
look_at_portals(InUse *in_use)
{
	look_at(in_use, ActivePortal);
	if (is_alone(ActivePortal))
		return;
	look_at(in_use, GetPortalByName(""));
	look_at_named(in_use);
}

/* Each one has a memory context beside those of the others. */
static bool
is_alone(Portal portal)
{
	return portal != NULL && portal->portalContext->prevchild == NULL &&
		portal->portalContext->nextchild == NULL;
}

static void
look_at_named(InUse *in_use)
{
	EState	   *estate = CreateExecutorState();
	ReturnSetInfo result = {.type = T_ReturnSetInfo, .allowedModes = SFRM_Materialize};
	FmgrInfo	flinfo;

	LOCAL_FCINFO(fcinfo, 0);

	result.econtext = CreateExprContext(estate);
	fmgr_info(F_PG_CURSOR, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 0, InvalidOid, NULL, (Node *) &result);
	(void) FunctionCallInvoke(fcinfo);
	look_at_names(in_use, &result);
	tuplestore_end(result.setResult);
	FreeExecutorState(estate);
}

static void
look_at_names(InUse *in_use, ReturnSetInfo *result)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(result->setDesc, &TTSOpsMinimalTuple);
	bool		isnull;

	while (tuplestore_gettupleslot(result->setResult, true, false, slot))
		look_at(in_use, GetPortalByName(TextDatumGetCString(slot_getattr(slot, 1, &isnull))));
	ExecDropSingleTupleTableSlot(slot);
}

static void
look_at(InUse *in_use, Portal portal)
{
	if (portal == NULL || portal->status == PORTAL_NEW || portal->status == PORTAL_DEFINED)
		return;
	in_use->nportals++;
	if (portal->createSubid == InvalidSubTransactionId)
		in_use->is_lost = true;
	else if (portal->queryDesc == NULL && portal->portalSnapshot == NULL &&
			 portal->holdSnapshot == NULL)
		in_use->is_unknown |= portal->status == PORTAL_ACTIVE && !IsolationUsesXactSnapshot();
	if (portal->queryDesc != NULL)
		consider(in_use, portal->queryDesc->snapshot);
	consider(in_use, portal->portalSnapshot);
	consider(in_use, portal->holdSnapshot);
}

static void
consider(InUse *in_use, Snapshot snapshot)
{
	if (snapshot != NULL && is_older(snapshot, in_use->oldest))
		in_use->oldest = snapshot;
}

/* Later ones see more: xmax grows, and until it does, what was open ends. */
static bool
is_older(Snapshot a, Snapshot b)
{
	if (a->xmax != b->xmax)
		return TransactionIdPrecedes(a->xmax, b->xmax);
	return a->xcnt > b->xcnt;
}

static struct varlena *
encode(Snapshot snapshot)
{
	uint64		xmin = U64FromFullTransactionId(idem_xid_widen(snapshot->xmin));
	uint64		xmax = U64FromFullTransactionId(idem_xid_widen(snapshot->xmax));
	uint64		open[MAX_OPEN + 1];
	int			nopen;

	if (snapshot->xcnt > MAX_OPEN)
		return encode_numbers(xmin, xmin, NULL, 0);
	nopen = collect_open(snapshot, open);
	return encode_numbers(xmin, xmax, open, nopen);
}

/*
 * This transaction counts as open, too, though what it did before it can see: what
 * it does next it must not take for seen once it is committed.
 */
static int
collect_open(Snapshot snapshot, uint64 *open)
{
	TransactionId own = GetTopTransactionIdIfAny();
	int			n = 0;

	while (n < snapshot->xcnt)
	{
		open[n] = U64FromFullTransactionId(idem_xid_widen(snapshot->xip[n]));
		n++;
	}
	if (TransactionIdIsValid(own) && TransactionIdPrecedes(own, snapshot->xmax))
		open[n++] = U64FromFullTransactionId(idem_xid_widen(own));
	qsort(open, n, sizeof(uint64), compare);
	return n;
}

static int
compare(const void *a, const void *b)
{
	uint64		left = *(const uint64 *) a;
	uint64		right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

static struct varlena *
encode_numbers(uint64 xmin, uint64 xmax, const uint64 *open, int nopen)
{
	StringInfoData bytes;
	int			i;

	initStringInfo(&bytes);
	pq_sendint32(&bytes, nopen);
	pq_sendint64(&bytes, xmin);
	pq_sendint64(&bytes, xmax);
	for (i = 0; i < nopen; i++)
		pq_sendint64(&bytes, open[i]);
	return (struct varlena *) DatumGetPointer(DirectFunctionCall1(pg_snapshot_recv,
																  PointerGetDatum(&bytes)));
}
