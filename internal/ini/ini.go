// Package ini reads the small part of the INI format that Alibaba Cloud's shared
// credentials file uses: sections in brackets, "key = value" lines, and comments
// after "#" or ";", also behind a value.
package ini

import (
	"fmt"
	"strings"
)

// Parse returns the keys of each section. Keys are in lower case; a key before
// the first section, a line of another form, or a section that comes twice is an
// error that names the line's number and none of its text.
func Parse(text string) (map[string]map[string]string, error) {
	sections := map[string]map[string]string{}
	var section map[string]string
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(withoutComment(line))
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, ok = strings.CutSuffix(name, "]")
			name = strings.TrimSpace(name)
			if _, twice := sections[name]; !ok || name == "" || twice {
				return nil, fmt.Errorf("line %d is not the head of a new section", i+1)
			}
			section = map[string]string{}
			sections[name] = section
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok || key == "" || section == nil {
			return nil, fmt.Errorf("line %d is not \"key = value\" in a section", i+1)
		}
		section[key] = strings.TrimSpace(value)
	}
	return sections, nil
}

// withoutComment cuts a comment off: one that begins the line, or that follows
// white space.
func withoutComment(line string) string {
	for i, c := range line {
		if (c == '#' || c == ';') && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}
