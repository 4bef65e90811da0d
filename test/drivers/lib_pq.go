// lib/pq through database/sql. []byte is bytea, so JSON is passed as a string; a
// time.Duration would go as nanoseconds, so it is passed as Seconds().
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

var (
	parameter  = regexp.MustCompile(`<<(\S+) (.*?)>>`)
	plain      = regexp.MustCompile(`^[ -~]{0,80}$`)
	remembered = map[string]interface{}{}
	background = context.Background()
)

type querier interface {
	QueryContext(ctx context.Context, query string, args ...interface{}) (*sql.Rows, error)
}

type session struct {
	connection  *sql.Conn
	transaction *sql.Tx
}

func (s *session) do(statement string) (string, error) {
	var err error
	switch statement {
	case "begin":
		s.transaction, err = s.connection.BeginTx(background, nil)
		return "", err
	case "commit":
		err = s.transaction.Commit()
		s.transaction = nil
		return "", err
	case "rollback":
		err = s.transaction.Rollback()
		s.transaction = nil
		return "", err
	}
	var q querier = s.connection
	if s.transaction != nil {
		q = s.transaction
	}
	text, values := parse(statement)
	rows, err := q.QueryContext(background, text, values...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return read(rows)
}

// The statement with $1, $2 and so on, and their values.
func parse(statement string) (string, []interface{}) {
	var values []interface{}
	text := parameter.ReplaceAllStringFunc(statement, func(match string) string {
		found := parameter.FindStringSubmatch(match)
		if found[1] == "=" {
			values = append(values, remembered[found[2]])
		} else {
			values = append(values, value(found[1], content(found[2])))
		}
		return "$" + strconv.Itoa(len(values))
	})
	return text, values
}

func content(given string) []byte {
	if !strings.HasPrefix(given, "@") {
		return []byte(given)
	}
	bytes, err := os.ReadFile(given[1:])
	check(err)
	return bytes
}

func value(kind string, content []byte) interface{} {
	text := string(content)
	switch kind {
	case "bytes":
		return content
	case "json":
		var parsed interface{}
		check(json.Unmarshal(content, &parsed))
		encoded, err := json.Marshal(parsed)
		check(err)
		return string(encoded)
	case "seconds":
		seconds, err := strconv.ParseFloat(text, 64)
		check(err)
		return time.Duration(seconds * float64(time.Second)).Seconds()
	case "nanoseconds":
		number, err := strconv.ParseInt(text, 10, 64)
		check(err)
		return time.Duration(number)
	case "int", "long":
		number, err := strconv.ParseInt(text, 10, 64)
		check(err)
		return number
	case "duration":
		return text + " seconds"
	case "texts":
		return pq.Array(strings.Split(text, ","))
	}
	return text
}

func read(rows *sql.Rows) (string, error) {
	var lines []string
	types, err := rows.ColumnTypes()
	check(err)
	for rows.Next() {
		values, targets, columns := make([]interface{}, len(types)), make([]interface{}, len(types)), make([]string, len(types))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return "", err
		}
		for i, kind := range types {
			remembered[kind.Name()] = values[i]
			columns[i] = shown(values[i], kind.DatabaseTypeName())
		}
		lines = append(lines, strings.Join(columns, "|"))
	}
	return strings.Join(lines, ";"), rows.Err()
}

func shown(value interface{}, kind string) string {
	if value == nil {
		return "NULL"
	}
	bytes, isBytes := value.([]byte)
	if kind == "BYTEA" {
		return hashed("bytes", bytes)
	}
	text := fmt.Sprint(value)
	if isBytes {
		text = string(bytes)
	}
	if plain.MatchString(text) {
		return text
	}
	return hashed("text", []byte(text))
}

func hashed(kind string, content []byte) string {
	return fmt.Sprintf("%s %d %x", kind, len(content), sha256.Sum256(content))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	database, err := sql.Open("postgres", "sslmode=disable")
	check(err)
	sessions := map[string]*session{}
	for _, name := range []string{"A", "B"} {
		connection, err := database.Conn(background)
		check(err)
		sessions[name] = &session{connection: connection}
	}
	story, err := os.Open(os.Args[1])
	check(err)
	lines := bufio.NewScanner(story)
	for lines.Scan() {
		line := strings.SplitN(lines.Text(), "\t", 2)
		answer, err := sessions[line[0]].do(line[1])
		var refused *pq.Error
		if errors.As(err, &refused) {
			answer = "error " + string(refused.Code)
		} else if err != nil {
			answer = "error driver " + strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Println(answer)
	}
}
