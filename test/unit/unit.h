/*
 * unit.h
 *		What the unit tests share: TAP, random numbers, and a resource whose
 *		state is kept as bytes, as the extension keeps it.
 */
#ifndef UNIT_H
#define UNIT_H

#include "postgres.h"

#include "ratemath/ratemath.h"

#define SECOND		INT64CONST(1000000)
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define DAY			(24 * HOUR)
#define TEN_YEARS	(3652 * DAY + 12 * HOUR)

/* any instant, a Thursday at noon */
#define SOME_NOON	(9000 * DAY + 12 * HOUR)

/* ---- TAP ---- */

extern void expect(bool is_passed, const char *name,...) pg_attribute_printf(2, 3);
extern void expect_int(int64 got, int64 expected, const char *name);
extern void diag(const char *format,...) pg_attribute_printf(1, 2);
extern int	done_testing(void);

/*
 * A claim that is checked many times and reported once: it passes if it was
 * checked at all and never failed.  The first failure is told, with the seed
 * and the step that lead to it.
 */
typedef struct Property
{
	const char *name;
	int64		checked;
	int64		failed;
} Property;

#define HOLDS(property, condition) \
	((property)->checked++, (condition) ? (void) 0 : violate(property, #condition))

extern void violate(Property *property, const char *condition);
extern void report(Property *property);

/* ---- random numbers, the same in every run ---- */

/* UNIT_ROUNDS multiplies the rounds, UNIT_SEED begins elsewhere */
extern int64 rounds(int64 n);
extern int64 steps_done;

extern void start_round(int64 round);
extern void next_step(void);
extern uint64 random_bits(void);
extern int64 below(int64 n);	/* 0 to n - 1 */
extern bool one_in(int n);
extern int64 between(int64 low, int64 high);

/* evenly in its logarithm */
extern int64 magnitude_between(int64 low, int64 high);

/* ---- a resource ---- */

typedef struct Resource
{
	char		bytes[IDEM_RATE_MAX_ENCODED_SIZE];
	Size		size;
	IdemRateState state;		/* as settled by the last request */
	bool		is_kept;		/* did the last request change the bytes? */
} Resource;

extern void forget(Resource *resource);

/* Settle, decide, record if allowed, and keep what must be kept. */
extern IdemRateVerdict ask(Resource *resource, const IdemRateLimit *limit,
						   int64 now, int64 cost);
extern IdemRateVerdict ask_as(Resource *resource, const IdemRateLimit *limit,
							  int64 now, int64 cost, bool is_user);

/* Record whether allowed or not. */
extern void force(Resource *resource, const IdemRateLimit *limit, int64 now,
				  int64 cost, bool is_user);

/* Give back what was taken and not used.  Was anything? */
extern bool give_back(Resource *resource, const IdemRateLimit *limit, int64 now,
					  int64 taken_at, int64 cost, bool is_user);

/* What would be the answer? Nothing is changed. */
extern IdemRateVerdict peek(const Resource *resource, const IdemRateLimit *limit,
							int64 now, int64 cost, bool is_user);

extern IdemRateLimit limit_of(IdemRateAlgorithm algorithm, int64 quota, int64 period);

/* What every state must go through unharmed, whichever test makes it. */
extern Property survives_encoding;

#endif							/* UNIT_H */
