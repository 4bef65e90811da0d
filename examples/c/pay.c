/*
 * Claim, work, complete, replay with libpq: in one transaction and in two.
 *
 *	cc -I$(pg_config --includedir) -o pay pay.c -L$(pg_config --libdir) -lpq
 *	PGHOST=localhost PGUSER=me PGDATABASE=mine ./pay
 *
 * The database has the extension and CREATE TABLE ledger (payment text, amount numeric).
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS "{\"content-type\": \"application/json\"}"

/* What to send; 0 and "" where there is nothing. */
typedef struct Answer
{
	int			status;
	int			retry_after;
	bool		is_replayed;
	char		body[200];
} Answer;

typedef struct Claim
{
	bool		is_started;
	char		fence[24];		/* a bigint as text, and it goes back as it is */
	Answer		answer;			/* unless it is started */
} Claim;

/* false: the bank is down. */
typedef bool (*Bank) (const char *key, const char *body);

static PGconn *connection;
static PGconn *other;

/*
 * Run a statement and return its result, or NULL if the claim is lost: somebody
 * took over, and the transaction has to be rolled back. The program ends at any
 * other error. A value is text unless its length is given: binary then, as a
 * bytea wants it.
 */
static PGresult *
query(PGconn *conn, const char *sql, int count, const char *const *values, const int *lengths)
{
	int			formats[8] = {0};
	PGresult   *result;

	for (int i = 0; lengths && i < count; i++)
		formats[i] = lengths[i] > 0;
	result = PQexecParams(conn, sql, count, NULL, values, lengths, formats, 0);
	if (PQresultStatus(result) == PGRES_FATAL_ERROR)
	{
		const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

		if (!sqlstate || strcmp(sqlstate, "ID412") != 0)
		{
			fprintf(stderr, "%s", PQerrorMessage(conn));
			exit(1);
		}
		PQclear(result);
		return NULL;
	}
	return result;
}

static bool
execute(PGconn *conn, const char *sql)
{
	PGresult   *result = query(conn, sql, 0, NULL, NULL);

	PQclear(result);
	return result != NULL;
}

/* What to send when there is nothing to do. */
static Answer
settled(PGresult *row)
{
	const char *outcome = PQgetvalue(row, 0, 0);

	if (strcmp(outcome, "replay") == 0 || strcmp(outcome, "failed") == 0)
	{
		Answer		answer = {.status = atoi(PQgetvalue(row, 0, 2)), .is_replayed = true};
		size_t		length;
		unsigned char *bytes = PQunescapeBytea((unsigned char *) PQgetvalue(row, 0, 3), &length);

		snprintf(answer.body, sizeof(answer.body), "%.*s", (int) length, (char *) bytes);
		PQfreemem(bytes);
		return answer;
	}
	if (strcmp(outcome, "in_progress") == 0)
		return (Answer) {.status = 409,.retry_after = atoi(PQgetvalue(row, 0, 4))};
	if (strcmp(outcome, "mismatch") == 0)
		return (Answer) {.status = 422};
	fprintf(stderr, "unexpected outcome %s\n", outcome);
	exit(1);
}

/* A composite result belongs into FROM. lease may be NULL. */
static Claim
start(PGconn *conn, const char *key, const char *body, const char *lease)
{
	const char *values[] = {key, body, lease};
	int			lengths[] = {0, strlen(body), 0};
	PGresult   *row = query(conn,
							"SELECT outcome, fence, response_status, response_body, retry_after_seconds"
							" FROM idemstore.start_processing($1, encode(sha256($2), 'hex'), lease => $3)",
							3, values, lengths);
	Claim		claim = {.is_started = strcmp(PQgetvalue(row, 0, 0), "started") == 0};

	if (claim.is_started)
		snprintf(claim.fence, sizeof(claim.fence), "%s", PQgetvalue(row, 0, 1));
	else
		claim.answer = settled(row);
	PQclear(row);
	return claim;
}

/*
 * The business itself. What it writes commits together with the response. False
 * if the claim is lost.
 */
static bool
charge(PGconn *conn, const char *key, const char *body, const char *fence, Answer *answer)
{
	PGresult   *result;

	result = query(conn,
				   "INSERT INTO ledger SELECT $1, amount"
				   " FROM (SELECT ($2::json ->> 'amount')::numeric) AS request (amount)"
				   " WHERE amount <= 1000"
				   " RETURNING json_build_object('payment', payment, 'amount', amount)",
				   2, (const char *const[]) {key, body}, NULL);
	if (PQntuples(result) > 0)
	{
		*answer = (Answer) {.status = 201};
		snprintf(answer->body, sizeof(answer->body), "%s", PQgetvalue(result, 0, 0));
		PQclear(result);
		result = query(conn, "SELECT idemstore.complete($1, 201, $2, $3, fence => $4)",
					   4, (const char *const[]) {key, HEADERS, answer->body, fence}, NULL);
	}
	else
	{
		*answer = (Answer) {.status = 402};
		snprintf(answer->body, sizeof(answer->body), "{\"payment\" : \"%s\", \"refused\" : \"limit\"}", key);
		PQclear(result);
		result = query(conn,
					   "SELECT idemstore.fail($1, '{\"reason\": \"limit\"}', response_status => 402,"
					   " response_headers => $2, response_text => $3, fence => $4)",
					   4, (const char *const[]) {key, HEADERS, answer->body, fence}, NULL);
	}
	PQclear(result);
	return result != NULL;
}

/*
 * One transaction: whatever ends it early gives the key back. Nobody can take
 * over a claim that is not committed.
 */
static Answer
pay(PGconn *conn, const char *key, const char *body)
{
	Claim		claim;

	execute(conn, "BEGIN");
	claim = start(conn, key, body, NULL);
	if (claim.is_started)
		charge(conn, key, body, claim.fence, &claim.answer);
	execute(conn, "COMMIT");
	return claim.answer;
}

/*
 * Two transactions, with a slow call to somebody else between them. The claim is
 * committed, so it outlives this process; the lease says for how long. Give the
 * bank the same key: it may be asked again by whoever takes over.
 */
static Answer
transfer(PGconn *conn, const char *key, const char *body, Bank bank, const char *lease)
{
	Claim		claim = start(conn, key, body, lease);

	if (!claim.is_started)
		return claim.answer;
	if (!bank(key, body))
	{
		PQclear(query(conn, "SELECT idemstore.fail($1, '{\"reason\": \"the bank is down\"}',"
					  " retryable => true, fence => $2)",
					  2, (const char *const[]) {key, claim.fence}, NULL));
		return (Answer) {.status = 503};
	}
	execute(conn, "BEGIN");
	if (!charge(conn, key, body, claim.fence, &claim.answer))
	{
		execute(conn, "ROLLBACK");
		return (Answer) {.status = 409,.retry_after = 1};	/* the retry gets the other's answer */
	}
	execute(conn, "COMMIT");
	return claim.answer;
}

static void
say(const char *step, Answer answer)
{
	printf("%s: %d%s%s", step, answer.status, answer.body[0] ? " " : "", answer.body);
	if (answer.retry_after)
		printf(", Retry-After: %d", answer.retry_after);
	puts(answer.is_replayed ? ", replayed" : "");
}

static bool
answer_at_once(const char *key, const char *body)
{
	return true;
}

static bool
be_down(const char *key, const char *body)
{
	return false;
}

static bool
meet_duplicate(const char *key, const char *body)
{
	say("while the bank is at it", transfer(other, key, body, answer_at_once, "30 s"));
	return true;
}

static bool
be_slow(const char *key, const char *body)
{
	usleep(300000);
	say("taken over meanwhile", transfer(other, key, body, answer_at_once, "30 s"));
	return true;
}

static PGconn *
open_connection(void)
{
	PGconn	   *conn = PQconnectdb("");

	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(1);
	}
	return conn;
}

int
main(void)
{
	const char *body = "{\"amount\": 9.99}";
	const char *large = "{\"amount\": 5000}";

	connection = open_connection();
	other = open_connection();

	say("payment", pay(connection, "c-1", body));
	say("its retry", pay(connection, "c-1", body));
	say("its key with another body", pay(connection, "c-1", "{\"amount\": 5}"));

	execute(other, "BEGIN");
	start(other, "c-2", body, NULL);
	say("while another process is at it", pay(connection, "c-2", body));
	execute(other, "ROLLBACK");
	say("when that one is dead", pay(connection, "c-2", body));

	say("payment refused", pay(connection, "c-3", large));
	say("its retry", pay(connection, "c-3", large));

	say("transfer", transfer(connection, "c-4", body, meet_duplicate, "30 s"));
	say("its retry", transfer(connection, "c-4", body, answer_at_once, "30 s"));

	say("transfer, the bank is down", transfer(connection, "c-5", body, be_down, "30 s"));
	say("its retry", transfer(connection, "c-5", body, answer_at_once, "30 s"));

	say("transfer, slower than its lease", transfer(connection, "c-6", body, be_slow, "0.2 s"));
	say("its retry", transfer(connection, "c-6", body, answer_at_once, "30 s"));

	PQfinish(other);
	PQfinish(connection);
	return 0;
}
