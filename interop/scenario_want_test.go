package interop_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A want is what a step has to get.
type want struct {
	lines   []string
	instead map[string][]string // what a client gets that cannot express the scenario
	at      [2]int              // the lines in the file: first, and behind the last
}

// of returns what a client has to get, and whether that is what clients get that
// can express the scenario.
func (w *want) of(client string) (lines []string, usual bool) {
	if lines, excused := w.instead[client]; excused {
		return lines, false
	}
	return w.lines, true
}

// wantLine adds a line of a result. It begins with the client's name if it is of
// one that cannot express the scenario.
func (s *scenario) wantLine(w *want, line string) {
	client, rest, _ := strings.Cut(line, ": ")
	if s.not[client] == "" {
		w.lines = append(w.lines, line)
		return
	}
	if w.instead == nil {
		w.instead = map[string][]string{}
	}
	w.instead[client] = append(w.instead[client], rest)
}

// update makes what a client got what is wanted: of the first client, of all; of
// one that cannot express the scenario, where it gets something else.
func (w *want) update(client string, got []string, first, excused bool) {
	switch {
	case first:
		w.lines = got
	case excused && slices.Equal(got, w.lines):
		delete(w.instead, client)
	case excused:
		if w.instead == nil {
			w.instead = map[string][]string{}
		}
		w.instead[client] = got
	}
}

// text returns the lines as they are written.
func (w *want) text() []string {
	var text []string
	for _, line := range w.lines {
		text = append(text, "  "+line)
	}
	for _, client := range slices.Sorted(maps.Keys(w.instead)) {
		for _, line := range w.instead[client] {
			text = append(text, "  "+client+": "+line)
		}
	}
	return text
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
			w := &s.wants[j]
			lines = slices.Replace(lines, w.at[0], w.at[1], w.text()...)
		}
		require.NoError(t, os.WriteFile(s.file, []byte(strings.Join(lines, "\n")), 0o644))
	}
}
