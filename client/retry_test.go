package client_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/client"
)

// actions by what repeating them may do.
var (
	reads = []string{
		"ListTable", "DescribeTable", "GetRow", "BatchGetRow", "GetRange",
		"GetTimeseriesData", "ListTimeseriesTable", "DescribeTimeseriesTable", "QueryTimeseriesMeta",
		"Search", "ParallelScan", "ComputeSplits", "ComputeSplitPointsBySize", "ListSearchIndex", "DescribeSearchIndex",
		"ListStream", "DescribeStream", "GetShardIterator", "GetStreamRecord",
	}
	rowWrites = []string{"PutRow", "UpdateRow", "DeleteRow", "BatchWriteRow"}
	others    = []string{"CreateTable", "UpdateTable", "DeleteTable", "CreateSearchIndex", "SQLQuery", "PutTimeseriesData", "SomethingNew"}
)

// policies are all four, with the actions that each takes for repeatable.
func policies() map[client.RetryPolicy][]string {
	return map[client.RetryPolicy][]string{
		client.DefaultRetryPolicy{}: reads,
		client.WriteRetryPolicy{}:   slices.Concat(reads, rowWrites),
		client.NoDelayRetryPolicy{}: reads,
		client.NoRetryPolicy{}:      nil,
	}
}

func TestAnswersAreRepeatedAsByTheReferenceClient(t *testing.T) {
	file, err := os.Open("testdata/retry.tsv")
	require.NoError(t, err)
	defer file.Close()
	table := csv.NewReader(file)
	table.Comma, table.Comment = '\t', '#'
	rows, err := table.ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		status, err := strconv.Atoi(row[0])
		require.NoError(t, err)
		base, err := strconv.Atoi(row[4])
		require.NoError(t, err)
		for policy, repeatable := range policies() {
			for _, action := range slices.Concat(reads, rowWrites, others) {
				a := client.Attempt{Action: action, Number: 1, StatusCode: status, Code: client.Code(row[1]), Message: row[2]}
				name := fmt.Sprintf("%T of %s %v", policy, action, row)
				want := map[string]bool{"always": true, "reads": slices.Contains(repeatable, action), "never": false}[row[3]]
				if policy == (client.NoRetryPolicy{}) {
					want = false
				}
				delay, got := policy.Next(a)
				require.Equal(t, want, got, name)
				if got {
					requireDelay(t, policy, delay, time.Duration(base)*time.Millisecond, name)
				}
				a.Number = 20
				_, got = policy.Next(a)
				require.Equal(t, want, got, name+": the 20th retry")
				a.Number = 21
				_, got = policy.Next(a)
				require.False(t, got, name+": there is no 21st retry")
			}
		}
	}
}

func TestAttemptsWithoutAnAnswerAreRepeatedIfNothingCanHappenTwice(t *testing.T) {
	for name, c := range map[string]struct {
		attempt                  client.Attempt
		reads, rowWrites, others bool // under the default policy
	}{
		"the connection broke":                      {client.Attempt{Number: 1, Temporary: true, Executed: true}, true, false, false},
		"no connection was made":                    {client.Attempt{Number: 1, Temporary: true}, true, true, true},
		"no connection was made 20 times":           {client.Attempt{Number: 20, Temporary: true}, true, true, true},
		"no connection was made 21 times":           {client.Attempt{Number: 21, Temporary: true}, false, false, false},
		"the host is unknown":                       {client.Attempt{Number: 1}, false, false, false},
		"the answer could not be believed":          {client.Attempt{Number: 1, Executed: true}, false, false, false},
		"no credentials just now":                   {client.Attempt{Number: 1, NoCredentials: true, Temporary: true}, true, true, true},
		"no credentials for the 100th time":         {client.Attempt{Number: 100, NoCredentials: true, Temporary: true, Elapsed: 299 * time.Second}, true, true, true},
		"no credentials for 5 minutes":              {client.Attempt{Number: 3, NoCredentials: true, Temporary: true, Elapsed: 300 * time.Second}, false, false, false},
		"no credentials, and there will not be any": {client.Attempt{Number: 1, NoCredentials: true}, false, false, false},
	} {
		for policy := range policies() {
			_, isWrite := policy.(client.WriteRetryPolicy)
			_, isNone := policy.(client.NoRetryPolicy)
			for _, kind := range []struct {
				actions []string
				want    bool
			}{{reads, c.reads}, {rowWrites, c.rowWrites || c.reads && isWrite}, {others, c.others}} {
				for _, action := range kind.actions {
					a := c.attempt
					a.Action = action
					delay, got := policy.Next(a)
					require.Equal(t, kind.want && !isNone, got, "%s: %T of %s", name, policy, action)
					if got && a.Number == 1 {
						requireDelay(t, policy, delay, 200*time.Millisecond, name)
					}
				}
			}
		}
	}
}

func TestAWriteThatAddsUpIsNotRepeatedWhereItMayHaveBeenDone(t *testing.T) {
	for name, c := range map[string]struct {
		attempt client.Attempt
		want    bool
	}{
		"the connection broke":      {client.Attempt{Temporary: true, Executed: true}, false},
		"the service took too long": {client.Attempt{StatusCode: 503, Code: client.CodeTimeout}, false},
		"no connection was made":    {client.Attempt{Temporary: true}, true},
		"the service is busy":       {client.Attempt{StatusCode: 503, Code: client.CodeServerBusy}, true},
	} {
		c.attempt.Action, c.attempt.Number, c.attempt.Cumulative = "UpdateRow", 1, true
		_, got := client.WriteRetryPolicy{}.Next(c.attempt)
		require.Equal(t, c.want, got, name)
		c.attempt.Cumulative = false
		_, got = client.WriteRetryPolicy{}.Next(c.attempt)
		require.True(t, got, name)
	}
}

func TestDelaysDoubleUpTo3Seconds(t *testing.T) {
	for code, limits := range map[client.Code][]int{ // milliseconds
		client.CodeTableNotReady: {200, 400, 800, 1600, 3000, 3000, 3000},
		client.CodeServerBusy:    {500, 1000, 2000, 3000, 3000, 3000, 3000},
	} {
		for i, limit := range limits {
			a := client.Attempt{Action: "PutRow", Number: i + 1, StatusCode: 503, Code: code}
			upper := time.Duration(limit) * time.Millisecond
			var low, high int
			for range 200 {
				delay, retry := client.DefaultRetryPolicy{}.Next(a)
				require.True(t, retry)
				require.GreaterOrEqual(t, delay, upper/2)
				require.LessOrEqual(t, delay, upper)
				if delay < upper*3/4 {
					low++
				} else {
					high++
				}
			}
			require.Greater(t, low, 40, "half of the delays are in the lower half of the range")
			require.Greater(t, high, 40, "half of the delays are in the upper half of the range")
		}
	}
}

// requireDelay checks the delay before a first retry.
func requireDelay(t *testing.T, policy client.RetryPolicy, delay, base time.Duration, name string) {
	t.Helper()
	if policy == (client.NoDelayRetryPolicy{}) {
		require.Zero(t, delay, name)
		return
	}
	require.GreaterOrEqual(t, delay, base/2, name)
	require.LessOrEqual(t, delay, base, name)
}
