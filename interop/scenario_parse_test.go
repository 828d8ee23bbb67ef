package interop_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/scanner"

	"github.com/stretchr/testify/require"
)

// A scenario is one case of the table: steps, each with the wanted result.
type scenario struct {
	file, name string
	not        map[string]string // why a client cannot express it
	setup      int               // so many steps make what all cases of the file start from
	steps      []step
	wants      []want // of the steps
}

// loadScenarios reads testdata/scenarios; its README has the notation.
func loadScenarios(t *testing.T) []*scenario {
	t.Helper()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	require.NoError(t, err)
	var all []*scenario
	names := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, s := range parseScenarios(t, file, string(content)) {
			require.False(t, names[s.name], "%s: the name %q is taken", file, s.name)
			names[s.name] = true
			all = append(all, s)
		}
	}
	return all
}

func parseScenarios(t *testing.T, file, content string) []*scenario {
	t.Helper()
	setup := &scenario{file: file}
	current := setup
	var all []*scenario
	for i, line := range strings.Split(content, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "== "):
			current = &scenario{
				file: file, name: line[3:], not: map[string]string{}, setup: len(setup.steps),
				steps: slices.Clone(setup.steps), wants: slices.Clone(setup.wants),
			}
			all = append(all, current)
		case strings.HasPrefix(line, "not "):
			client, reason, ok := strings.Cut(line[4:], ": ")
			require.True(t, ok && reason != "", "%s: not CLIENT: REASON", where)
			current.not[client] = reason
		case strings.HasPrefix(line, "  "):
			last := len(current.steps) - 1
			require.True(t, last >= current.setup && current != setup, "%s: a result of no step", where)
			current.wantLine(&current.wants[last], line[2:])
			current.wants[last].at[1] = i + 1
		case strings.HasPrefix(line, "+ "):
			last := &current.steps[len(current.steps)-1]
			last.Parts = append(last.Parts, parsePart(t, where, last.Action, line[2:])...)
			current.wants[len(current.steps)-1].at = [2]int{i + 1, i + 1}
		default:
			made := parseStep(t, where, line)
			current.steps = append(current.steps, made)
			current.wants = append(current.wants, want{lines: made.success(current == setup), at: [2]int{i + 1, i + 1}})
		}
	}
	return all
}

// success is what a step of the setup, a CreateTable or a PutRow, has to get;
// steps of a case say themselves what they want.
func (s *step) success(inSetup bool) []string {
	switch {
	case !inSetup:
		return nil
	case s.Action == "CreateTable":
		return []string{"ok"}
	}
	return []string{"consumed 0/1"}
}

// parsePart parses a line of a batch; a write of many keys is many writes.
func parsePart(t *testing.T, where, action, line string) []step {
	t.Helper()
	part := parseStep(t, where, line)
	if action == "BatchGetRow" {
		return []step{part}
	}
	var parts []step
	for _, key := range part.Keys {
		one := part
		one.Keys = [][]cell{key}
		parts = append(parts, one)
	}
	return parts
}

// parser reads one line.
type parser struct {
	scanner.Scanner
	t     *testing.T
	where string
	tok   rune
}

func parseStep(t *testing.T, where, line string) step {
	t.Helper()
	p := &parser{t: t, where: where}
	p.Init(strings.NewReader(line))
	p.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings
	p.Error = func(_ *scanner.Scanner, message string) { p.fail(message) }
	p.next()
	s := step{Action: p.ident()}
	if s.Action != "ListTable" && s.Action != "Fail" && !strings.HasPrefix(s.Action, "Batch") {
		s.Table = p.name()
	}
	switch s.Action {
	case "Fail":
		s.Fault = &failure{int(p.int()), p.ident(), p.text()}
	case "CreateTable", "UpdateTable":
		s.Definition = p.definition()
	default:
		for p.tok == '(' {
			s.Keys = append(s.Keys, p.key()...)
		}
		if p.skip('{') {
			for !p.skip('}') {
				s.Cells = append(s.Cells, p.change()...)
				p.skip(',')
			}
		}
		p.options(&s)
	}
	if p.tok != scanner.EOF {
		p.fail("unexpected " + p.TokenText())
	}
	return s
}

func (p *parser) fail(message string) {
	p.t.Helper()
	p.t.Fatalf("%s: %s: column %d", p.where, message, p.Column)
}

func (p *parser) next() { p.tok = p.Scan() }

// skip takes a token if it is the next.
func (p *parser) skip(tok rune) bool {
	if p.tok != tok {
		return false
	}
	p.next()
	return true
}

// word takes an identifier if it is the next.
func (p *parser) word(word string) bool {
	if p.tok != scanner.Ident || p.TokenText() != word {
		return false
	}
	p.next()
	return true
}

func (p *parser) take(tok rune) string {
	text := p.TokenText()
	if !p.skip(tok) {
		p.fail(fmt.Sprintf("want %s, not %s", scanner.TokenString(tok), text))
	}
	return text
}

func (p *parser) ident() string { return p.take(scanner.Ident) }

func (p *parser) int() int64 {
	sign := ""
	if p.skip('-') {
		sign = "-"
	}
	n, err := strconv.ParseInt(sign+p.take(scanner.Int), 10, 64)
	if err != nil {
		p.fail(err.Error())
	}
	return n
}

// text reads a string; "x"*3 is "xxx".
func (p *parser) text() string {
	s, err := strconv.Unquote(p.take(scanner.String))
	if err != nil {
		p.fail(err.Error())
	}
	if p.skip('*') {
		s = strings.Repeat(s, int(p.int()))
	}
	return s
}

// name reads an identifier, or a string for one that is none.
func (p *parser) name() string {
	if p.tok == scanner.String {
		return p.text()
	}
	return p.ident()
}

// names reads names in parentheses.
func (p *parser) names() []string {
	var names []string
	for p.take('('); !p.skip(')'); p.skip(',') {
		names = append(names, p.numbered()...)
	}
	return names
}

// numbered reads a name; c#3 is c0, c1 and c2.
func (p *parser) numbered() []string {
	name := p.name()
	if !p.skip('#') {
		return []string{name}
	}
	var names []string
	for i := range p.int() {
		names = append(names, name+strconv.FormatInt(i, 10))
	}
	return names
}

func (p *parser) value() *value {
	switch p.tok {
	case scanner.String:
		return textValue(p.text())
	case scanner.Ident:
		return p.named()
	}
	sign := ""
	if p.skip('-') {
		sign = "-"
	}
	if p.tok == scanner.Float {
		f, err := strconv.ParseFloat(sign+p.take(scanner.Float), 64)
		if err != nil {
			p.fail(err.Error())
		}
		return floatValue(f)
	}
	n, err := strconv.ParseInt(sign+p.take(scanner.Int), 10, 64)
	if err != nil {
		p.fail(err.Error())
	}
	return intValue(n)
}

// named reads a value that begins with a word.
func (p *parser) named() *value {
	switch word := p.ident(); word {
	case "x":
		b, err := hex.DecodeString(p.text())
		if err != nil {
			p.fail(err.Error())
		}
		return bytesValue(b)
	case "true", "false":
		return boolValue(word == "true")
	case "nan":
		return floatValue(math.NaN())
	case "infinity":
		return floatValue(math.Inf(1))
	default: // a mark, or a number that the service chose
		return markValue(word)
	}
}

// key reads a key, whose columns are pk1, pk2 and so on if they have no name;
// "1~3" as its last value makes it three.
func (p *parser) key() [][]cell {
	var key []cell
	last := int64(-1)
	for p.take('('); !p.skip(')'); p.skip(',') {
		c := cell{Name: fmt.Sprintf("pk%d", len(key)+1)}
		if p.tok == scanner.Ident && p.Peek() == '=' || p.tok == scanner.String && p.Peek() == '=' {
			c.Name = p.name()
			p.take('=')
		}
		c.Value = p.value()
		if p.skip('~') {
			last = p.int()
		}
		key = append(key, c)
	}
	if last < 0 {
		return [][]cell{key}
	}
	var keys [][]cell
	for n := key[len(key)-1].Value.native().(int64); n <= last; n++ {
		one := slices.Clone(key)
		one[len(one)-1].Value = intValue(n)
		keys = append(keys, one)
	}
	return keys
}

// change reads a column that is put, as in n=1 or n=1@1000, deleted, as in -n
// or -n@1000, or incremented, as in n+=1.
func (p *parser) change() []cell {
	deletes := p.skip('-')
	names := p.numbered()
	c := cell{Op: "delete"}
	if !deletes {
		c.Op = ""
		if p.skip('+') {
			c.Op = "increment"
		}
		p.take('=')
		c.Value = p.value()
	}
	if p.skip('@') {
		at := p.int()
		c.Time = &at
		if deletes {
			c.Op = "delete version"
		}
	}
	cells := make([]cell, len(names))
	for i, name := range names {
		cells[i] = c
		cells[i].Name = name
	}
	return cells
}

func (p *parser) options(s *step) {
	for p.tok == scanner.Ident {
		switch p.ident() {
		case "if":
			s.Expect = p.ident()
		case "where":
			s.Where = p.filter()
		case "return":
			if s.Return = p.ident(); s.Return == "after" {
				s.ReturnColumns = p.names()
			}
		case "get":
			s.Get = p.names()
		case "versions":
			s.Versions = int(p.int())
		case "from":
			from := p.int()
			p.word("to")
			to := p.int()
			s.Times = &times{From: &from, To: &to}
		case "at":
			at := p.int()
			s.Times = &times{At: &at}
		case "page":
			s.Page = &page{Limit: int(p.int())}
			if p.word("offset") {
				s.Page.Offset = int(p.int())
			}
		case "begin":
			s.Begin = p.name()
		case "until":
			s.Until = p.name()
		case "backward":
			s.Backward = true
		case "limit":
			s.Limit = int(p.int())
		default:
			p.fail("unknown option")
		}
	}
}

// filter reads terms that are joined with "and", or with "or".
func (p *parser) filter() *filter {
	parts := []*filter{p.term()}
	for _, op := range []string{"and", "or"} {
		for p.word(op) {
			parts = append(parts, p.term())
		}
		if len(parts) > 1 {
			return &filter{Op: op, Parts: parts}
		}
	}
	return parts[0]
}

func (p *parser) term() *filter {
	switch {
	case p.skip('('):
		f := p.filter()
		p.take(')')
		return f
	case p.word("not"):
		return &filter{Op: "not", Parts: []*filter{p.term()}}
	case p.tok == scanner.Int: // "33 times n == 1": so many, joined with "and"
		count := int(p.int())
		p.word("times")
		return &filter{Op: "and", Parts: slices.Repeat([]*filter{p.term()}, count)}
	}
	f := &filter{}
	f.Must = p.word("must")
	f.Any = p.word("any")
	f.Name = p.name()
	for slices.Contains([]rune("=!<>"), p.tok) {
		f.Op += p.TokenText()
		p.next()
	}
	f.Value = p.value()
	return f
}

func (p *parser) definition() *definition {
	d := &definition{Versions: 1, TTL: -1}
	columns := func() []keyColumn {
		var all []keyColumn
		for p.take('('); !p.skip(')'); p.skip(',') {
			names, c := p.numbered(), keyColumn{Type: p.ident(), Auto: p.word("auto")}
			for _, c.Name = range names {
				all = append(all, c)
			}
		}
		return all
	}
	if p.tok == '(' {
		d.Keys = columns()
	}
	for p.tok == scanner.Ident {
		switch p.ident() {
		case "versions":
			d.Options, d.Versions = true, int(p.int())
		case "ttl":
			d.Options, d.TTL = true, int(p.int())
		case "deviation":
			d.Options, d.Deviation = true, int(p.int())
		case "noupdate":
			d.Options, d.NoUpdate = true, true
		case "reserved":
			d.Reserved = &units{Read: int(p.int())}
			p.take('/')
			d.Reserved.Write = int(p.int())
		case "stream":
			d.Streamed, d.Stream = true, int(p.int())
		case "defined":
			d.Defined = columns()
		case "index":
			d.Indexes = append(d.Indexes, index{Name: p.name(), Keys: p.names(), Columns: p.names(), Local: p.word("local")})
		default:
			p.fail("unknown option")
		}
	}
	return d
}
