package interop_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// lines writes a result as a scenario states it.
func (r *result) lines(s *step, now time.Time) []string {
	f := formatter{now}
	switch {
	case r.Refused != "":
		return []string{"refused: " + shorten(r.Refused)}
	case r.Error != nil:
		return []string{f.failure(r.Error)}
	}
	var lines []string
	switch s.Action {
	case "ListTable":
		return []string{"tables" + join(" ", r.Tables)}
	case "CreateTable", "DeleteTable":
		return []string{"ok"}
	case "DescribeTable", "UpdateTable":
		return f.definition(s.Table, r.Table)
	case "BatchGetRow", "BatchWriteRow":
		return f.batch(s, r.Batch)
	case "GetRow":
		if len(r.Rows) == 0 {
			lines = append(lines, "no row")
		}
		fallthrough
	case "GetRange":
		for i := range r.Rows {
			lines = append(lines, f.row(&r.Rows[i]))
		}
		if r.Next != nil {
			lines = append(lines, "next "+f.key(r.Next))
		}
	default:
		for i := range r.Rows {
			lines = append(lines, f.returned(s, &r.Rows[i]))
		}
	}
	return append(lines, f.units(r.Consumed))
}

// formatter writes what scenarios want; now is the service's clock, which stands
// still.
type formatter struct{ now time.Time }

func (f formatter) failure(e *failure) string {
	status := ""
	if e.Status != 0 {
		status = fmt.Sprintf(" %d", e.Status)
	}
	return fmt.Sprintf("error%s %s: %s", status, e.Code, shorten(e.Message))
}

func (f formatter) units(u *units) string {
	if u == nil {
		return "consumed nothing"
	}
	return fmt.Sprintf("consumed %d/%d", u.Read, u.Write)
}

func (f formatter) row(r *row) string { return f.key(r.Key) + " " + f.columns(r.Columns) }

// returned writes the row that a write returned: what was asked for, and what is
// there besides, other than the key that was written.
func (f formatter) returned(s *step, r *row) string {
	key, columns := f.key(r.Key), f.columns(r.Columns)
	switch {
	case s.Return == "key" && len(r.Columns) == 0:
		return "returned " + key
	case s.Return == "after" && key == f.key(s.Keys[0]):
		return "returned " + columns
	}
	return "returned " + key + " " + columns
}

func (f formatter) key(key []cell) string {
	var parts []string
	for i, c := range key {
		text := f.value(c.Value)
		if c.Name != fmt.Sprintf("pk%d", i+1) {
			text = name(c.Name) + "=" + text
		}
		parts = append(parts, text)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (f formatter) columns(columns []cell) string {
	var parts []string
	for _, c := range columns {
		text := name(c.Name) + "=" + f.value(c.Value)
		switch {
		case c.Time == nil:
			text += "@none"
		case *c.Time != f.now.UnixMilli():
			text += fmt.Sprintf("@%d", *c.Time)
		}
		parts = append(parts, text)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (f formatter) value(v *value) string {
	switch n := v.native().(type) {
	case int64:
		// The service numbers rows by its clock, in microseconds.
		if after := n - f.now.UnixMicro(); after >= 0 && after < 1000 {
			return fmt.Sprintf("auto%d", after)
		}
	case float64:
		text := strconv.FormatFloat(n, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case string:
		return quote(n)
	case []byte:
		return "x" + quote(v.Text)
	}
	return v.Text
}

// resolve replaces a number that the service chose in a request.
func (f formatter) resolve(s *step) {
	for _, key := range s.Keys {
		for i := range key {
			if after, ok := strings.CutPrefix(key[i].Value.Text, "auto"); ok && key[i].Value.Kind == "mark" && after != "" {
				n, err := strconv.ParseInt(after, 10, 64)
				must(err)
				key[i].Value = intValue(f.now.UnixMicro() + n)
			}
		}
	}
	for i := range s.Parts {
		f.resolve(&s.Parts[i])
	}
}

// batch has a line for each row, or one for as many as have the same result.
func (f formatter) batch(s *step, results []rowResult) []string {
	var (
		lines       []string
		table, text string
		first, n    int
	)
	flush := func() {
		switch {
		case n == first+1:
			lines = append(lines, fmt.Sprintf("%s %d: %s", table, first, text))
		case n > first:
			lines = append(lines, fmt.Sprintf("%s %d~%d: %s", table, first, n-1, text))
		}
	}
	parts := partsByTable(s)
	for i := range results {
		r := &results[i]
		now := f.rowResult(s, r)
		if s.Action == "BatchWriteRow" && r.Row != nil && i < len(parts) {
			now += ", " + f.returned(parts[i], r.Row)
		}
		if r.Table != table {
			flush()
			table, first, n = r.Table, 0, 0
		} else if now != text {
			flush()
			first = n
		}
		text = now
		n++
	}
	flush()
	return lines
}

func (f formatter) rowResult(s *step, r *rowResult) string {
	switch {
	case r.Error != nil:
		return f.failure(r.Error)
	case s.Action == "BatchWriteRow":
		return f.units(r.Consumed)
	case r.Row == nil:
		return "no row, " + f.units(r.Consumed)
	}
	return f.row(r.Row) + ", " + f.units(r.Consumed)
}

func (f formatter) definition(table string, d *definition) []string {
	var lines []string
	if len(d.Keys) > 0 {
		lines = append(lines, f.schema(d.Keys))
	}
	lines = append(lines, fmt.Sprintf("versions %d, ttl %d, deviation %d, reserved %d/%d", d.Versions, d.TTL, d.Deviation, d.Reserved.Read, d.Reserved.Write))
	if d.NoUpdate {
		lines = append(lines, "noupdate")
	}
	if d.Streamed {
		lines = append(lines, fmt.Sprintf("stream %d", d.Stream))
	}
	if len(d.Defined) > 0 {
		lines = append(lines, "defined "+f.schema(d.Defined))
	}
	for _, i := range d.Indexes {
		line := fmt.Sprintf("index %s (%s) (%s)", name(i.Name), strings.Join(i.Keys, ", "), strings.Join(i.Columns, ", "))
		if i.Local {
			line += " local"
		}
		lines = append(lines, line+i.mode())
	}
	return append(lines, f.unusual(table, d)...)
}

func (f formatter) schema(columns []keyColumn) string {
	var parts []string
	for _, c := range columns {
		text := name(c.Name) + " " + c.Type
		if c.Auto {
			text += " auto"
		}
		parts = append(parts, text)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func name(s string) string {
	if len(s) <= longText && identifier.MatchString(s) {
		return s
	}
	return quote(s)
}

// longText is the length from which a text of one repeated byte is written short.
const longText = 64

func quote(s string) string {
	if len(s) > longText && strings.Count(s, s[:1]) == len(s) {
		return fmt.Sprintf("%q*%d", s[:1], len(s))
	}
	return strconv.Quote(s)
}

// shorten writes a message's long run of one byte as a scenario's names have it.
func shorten(s string) string {
	for begin, end := 0, 0; begin < len(s); begin = end {
		for end = begin + 1; end < len(s) && s[end] == s[begin]; end++ {
		}
		if end-begin > longText {
			return fmt.Sprintf("%s%c*%d%s", s[:begin], s[begin], end-begin, shorten(s[end:]))
		}
	}
	return s
}

// join writes each string with the separator before it.
func join(separator string, all []string) string {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(separator + s)
	}
	return b.String()
}
