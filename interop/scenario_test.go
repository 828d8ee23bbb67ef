package interop_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/otstest"
)

// update writes what the first client gets into testdata/scenarios, to be read with
// care before it is committed.
var update = flag.Bool("update", false, "write the results that the first client gets into testdata/scenarios")

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
// sends with what the first client sends.
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
	var (
		first  *driver
		bodies [][]byte // of first
	)
	for _, d := range drivers {
		server := otstest.NewServer(t, &otstest.Options{Instance: instanceName, Now: func() time.Time { return now }})
		server.AddKey(scenarioKey())
		d.front.serve(server)
		switch {
		case s.not[d.name] != "":
			s.excuse(t, d, now)
			continue
		case first == nil:
			first = d
		}
		for i := range s.steps {
			got, sent := s.do(t, d, i, now)
			if *update && d == first && i >= s.setup {
				s.want[i] = got
			}
			require.Equal(t, s.want[i], got, "%s: %s", s.place(i), d.name)
			require.Len(t, sent, 1, "%s: %s: requests", s.place(i), d.name)
			if d == first {
				bodies = append(bodies, sent[0])
				continue
			}
			compareBodies(t, known, &s.steps[i], first.name, bodies[i], d.name, sent[0])
		}
	}
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

// excuse checks that a client that is said to be unable to do what the scenario
// wants, is.
func (s *scenario) excuse(t *testing.T, d *driver, now time.Time) {
	t.Helper()
	for i := range s.steps {
		if got, _ := s.do(t, d, i, now); !slices.Equal(got, s.want[i]) {
			return
		}
	}
	t.Errorf("%s: %s can do it; %q is wrong", s.place(0), d.name, s.not[d.name])
}

// place says where a step is written.
func (s *scenario) place(i int) string {
	return fmt.Sprintf("%s:%d: %s", s.file, s.wantAt[i][0], s.steps[i].Action)
}

// writeWants writes the scenarios with their results.
func writeWants(t *testing.T, all []*scenario) {
	t.Helper()
	for i := len(all) - 1; i >= 0; i-- { // from the last line to the first
		s := all[i]
		content, err := os.ReadFile(s.file)
		require.NoError(t, err)
		lines := strings.Split(string(content), "\n")
		for j := len(s.steps) - 1; j >= s.setup; j-- {
			var want []string
			for _, line := range s.want[j] {
				want = append(want, "  "+line)
			}
			lines = slices.Replace(lines, s.wantAt[j][0], s.wantAt[j][1], want...)
		}
		require.NoError(t, os.WriteFile(s.file, []byte(strings.Join(lines, "\n")), 0o644))
	}
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
