package otstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// Dump returns all tables as text, for a test to compare or to print: a line a
// table, its rows in the order of their keys below, and each row's columns by
// name below that, the newest version first, with its timestamp in
// milliseconds behind "@". Data that is past its time to live is left out, and so
// are indexes.
func (s *Server) Dump() string {
	var b strings.Builder
	now := s.opts.Now()
	for _, name := range s.store.names() {
		s.store.read(name, func(t *table) {
			if t == nil { // deleted meanwhile
				return
			}
			fmt.Fprintf(&b, "table %s (%s) ttl %d, versions %d\n", name, t.schema(), t.options.GetTimeToLive(), t.options.GetMaxVersions())
			for _, r := range t.rows {
				if live := t.live(r, now); live != nil {
					live.dump(&b)
				}
			}
		})
	}
	return b.String()
}

// schema is the primary key in words.
func (t *table) schema() string {
	var columns []string
	for _, c := range t.meta.GetPrimaryKey() {
		text := c.GetName() + " " + c.GetType().String()
		if c.Option != nil {
			text += " " + c.GetOption().String()
		}
		columns = append(columns, text)
	}
	return strings.Join(columns, ", ")
}

func (r *row) dump(b *strings.Builder) {
	var key []string
	for _, v := range r.key {
		key = append(key, valueText(v))
	}
	fmt.Fprintf(b, "  %s\n", strings.Join(key, ", "))
	for _, name := range slices.Sorted(maps.Keys(r.columns)) {
		for _, v := range r.columns[name] {
			fmt.Fprintf(b, "    %s = %s @%d\n", name, valueText(v.value), v.timestamp)
		}
	}
}

func valueText(v pb.Value) string {
	switch v.Kind() {
	case pb.Integer:
		return fmt.Sprint(v.Int())
	case pb.Double:
		return fmt.Sprintf("%g (double)", v.Double())
	case pb.Boolean:
		return fmt.Sprint(v.Bool())
	case pb.Blob:
		return fmt.Sprintf("0x%x", v.Text())
	}
	return fmt.Sprintf("%q", v.Text())
}
