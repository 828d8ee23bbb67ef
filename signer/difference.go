package signer

import "strings"

// A Difference is the first line of the string-to-sign that the service read
// in another way.
type Difference struct {
	// Offset is the first byte that differs, counted from 0 in the request's
	// own string-to-sign with its token not masked.
	Offset int
	// Part is "path", "method" or the name of a header.
	Part string
	// Sent and Received are the two lines, tokens masked; empty: there is none.
	Sent, Received string
}

// firstDifference compares two strings-to-sign line by line.
func firstDifference(ours, theirs string, mask masker) *Difference {
	sent := strings.Split(strings.TrimSuffix(ours, "\n"), "\n")
	received := strings.Split(asSigned(theirs), "\n")
	offset := 0
	for i := range max(len(sent), len(received)) {
		var a, b string
		if i < len(sent) {
			a = sent[i]
		}
		if i < len(received) {
			b = received[i]
		}
		if a == b || isMasked(a, b) {
			offset = min(offset+len(a)+1, len(ours)) // empty lines may follow in theirs
			continue
		}
		part := partOf(i, a, b)
		d := &Difference{Part: mask.name(part), Sent: mask.line(a), Received: mask.line(b)}
		if i > 2 && headerName(a) != headerName(b) { // one of them lacks the other's line
			if headerName(a) == part {
				d.Received = ""
			} else {
				d.Sent = ""
			}
		}
		d.Offset = offset
		for d.Offset-offset < min(len(a), len(b)) && a[d.Offset-offset] == b[d.Offset-offset] {
			d.Offset++
		}
		return d
	}
	return nil
}

// asSigned returns the service's string-to-sign without its last line feed, and
// without what its way here did to it: quotation marks around it, line ends of
// another kind or, as in a log, written out, and white space or the salt of V4
// behind it.
func asSigned(theirs string) string {
	theirs = strings.TrimSpace(theirs)
	if quoted, ok := strings.CutPrefix(theirs, `"`); ok { // a path begins with a slash
		theirs = strings.TrimSpace(strings.TrimSuffix(quoted, `"`))
	}
	if !strings.Contains(theirs, "\n") {
		theirs = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(theirs)
	}
	theirs = strings.TrimSpace(strings.ReplaceAll(theirs, "\r", ""))
	return strings.TrimRight(strings.TrimSuffix(theirs, "\n"+v4Salt), "\n")
}

// partOf names what differs in line i: of two headers the one that comes
// first, which the other side does not have.
func partOf(i int, a, b string) string {
	switch i {
	case 0:
		return "path"
	case 1:
		return "method"
	case 2:
		return "query"
	}
	a, b = headerName(a), headerName(b)
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func headerName(text string) string {
	name, _, _ := strings.Cut(text, ":")
	return name
}

// tokenOf returns the security token of its line, in any spelling.
func tokenOf(text string) (string, bool) {
	name, value, ok := strings.Cut(text, ":")
	return value, ok && strings.EqualFold(strings.TrimSpace(name), headerSTSToken)
}

// isMasked reports whether both are the security token's line and the
// service's is masked, so that they cannot be compared.
func isMasked(ours, theirs string) bool {
	_, isToken := tokenOf(ours)
	value, both := tokenOf(theirs)
	return isToken && both && strings.ContainsAny(value, "[*")
}
