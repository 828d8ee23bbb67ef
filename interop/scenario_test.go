package interop_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/otstest"
)

// update writes what clients get into testdata/scenarios, to be read with care
// before it is committed.
var update = flag.Bool("update", false, "write the results that clients get into testdata/scenarios")

func TestOurClientAndTheOfficialGoSDKDoTheSame(t *testing.T) {
	runScenarios(t, newOurs(t), newGoSDK(t))
}

func TestTheScenariosAreManyAndUseAllActions(t *testing.T) {
	all := loadScenarios(t)
	require.GreaterOrEqual(t, len(all), 150)
	uses, excuses := map[string]int{}, 0
	for _, s := range all {
		require.LessOrEqual(t, len(s.not), 1, "%s: %s: two clients are compared at least", s.file, s.name)
		excuses += len(s.not)
		for client := range s.not {
			require.Contains(t, []string{"otsauth", "gosdk", "node"}, client, "%s: %s", s.file, s.name)
			differs := func(w want) bool { return len(w.instead[client]) > 0 && !slices.Equal(w.instead[client], w.lines) }
			require.True(t, slices.ContainsFunc(s.wants, differs), "%s: %s: nothing says what %s gets instead", s.file, s.name, client)
		}
		for i := range s.steps {
			uses[s.steps[i].Action]++
		}
	}
	require.LessOrEqual(t, 10*excuses, len(all), "exceptions")
	for _, action := range []string{
		"ListTable", "CreateTable", "DescribeTable", "UpdateTable", "DeleteTable", "PutRow", "GetRow", "UpdateRow", "DeleteRow",
		"BatchGetRow", "BatchWriteRow", "GetRange",
	} {
		require.Positive(t, uses[action], action)
	}
	require.Len(t, uses, 13, "the actions and Fail")
}

// runScenarios runs all scenarios through each client, each with a server of
// its own, and compares what it gets with what the scenario wants, and what it
// sends with what the first client sends that can express the scenario.
func runScenarios(t *testing.T, drivers ...*driver) {
	t.Helper()
	all, known := loadScenarios(t), differences()
	ran := 0
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			ran++
			s.run(t, drivers, known)
		})
	}
	for _, d := range known {
		if ran == len(all) && slices.ContainsFunc(drivers, func(one *driver) bool { return one.name == d.client }) {
			require.True(t, d.seen, "the clients' bodies no longer differ in %s", d.fields)
		}
	}
	if *update {
		writeWants(t, all)
	}
}

func (s *scenario) run(t *testing.T, drivers []*driver, known []*difference) {
	now := time.Now()
	for i := range s.steps {
		formatter{now}.resolve(&s.steps[i])
	}
	drivers = s.ableFirst(drivers)
	bodies := make([][]byte, len(s.steps)) // of the first
	for n, d := range drivers {
		server := otstest.NewServer(t, &otstest.Options{Instance: instanceName, Now: func() time.Time { return now }})
		server.AddKey(scenarioKey())
		d.front.serve(server)
		for i := range s.steps {
			got, sent := s.do(t, d, i, now)
			if *update && i >= s.setup {
				s.wants[i].update(d.name, got, n == 0, s.not[d.name] != "")
			}
			wanted, usual := s.wants[i].of(d.name)
			require.Equal(t, wanted, got, "%s: %s", s.place(i), d.name)
			requireSent(t, s, i, d, got, sent)
			switch {
			case n == 0:
				bodies[i] = sent[0]
			case usual:
				compareBodies(t, known, &s.steps[i], drivers[0].name, bodies[i], d.name, sent[0])
			}
		}
	}
}

// ableFirst returns the drivers, those first whose clients can express the scenario.
func (s *scenario) ableFirst(drivers []*driver) []*driver {
	var able, excused []*driver
	for _, d := range drivers {
		if s.not[d.name] == "" {
			able = append(able, d)
		} else {
			excused = append(excused, d)
		}
	}
	return append(able, excused...)
}

// requireSent requires one request of a step, or none of one that the client
// refuses to send.
func requireSent(t *testing.T, s *scenario, i int, d *driver, got []string, sent [][]byte) {
	t.Helper()
	requests := 1
	if len(got) > 0 && strings.HasPrefix(got[0], "refused: ") {
		requests = 0
	}
	require.Len(t, sent, requests, "%s: %s: requests", s.place(i), d.name)
}

// do does one step, and returns what the client got and sent.
func (s *scenario) do(t *testing.T, d *driver, i int, now time.Time) (got []string, sent [][]byte) {
	t.Helper()
	if fault := s.steps[i].Fault; fault != nil {
		d.front.fail(fault)
		return nil, [][]byte{nil}
	}
	got = d.do(t.Context(), &s.steps[i]).lines(&s.steps[i], now)
	return got, d.front.taken()
}

// place says where a step is written.
func (s *scenario) place(i int) string {
	return fmt.Sprintf("%s:%d: %s", s.file, s.wants[i].at[0], s.steps[i].Action)
}

// tablesOf returns a batch's tables as they are first named.
func tablesOf(s *step) []string {
	var tables []string
	for i := range s.Parts {
		if !slices.Contains(tables, s.Parts[i].Table) {
			tables = append(tables, s.Parts[i].Table)
		}
	}
	return tables
}

// partsByTable returns a batch's parts in the order of their results.
func partsByTable(s *step) []*step {
	var parts []*step
	for _, table := range tablesOf(s) {
		for i := range s.Parts {
			if s.Parts[i].Table == table {
				parts = append(parts, &s.Parts[i])
			}
		}
	}
	return parts
}
