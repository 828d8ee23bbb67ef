package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/otsauth/otsauth/otstest"
)

// progress shows a tally while it grows: on a terminal one line that is drawn
// anew, elsewhere a plain line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	done     chan struct{}
	stopped  chan struct{}
}

func startProgress(out io.Writer, t *tally, server *otstest.Server) *progress {
	p := &progress{out: out, terminal: isTerminal(out), done: make(chan struct{}), stopped: make(chan struct{})}
	every := 2 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	go func() {
		defer close(p.stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.show(t.progress(server))
			case <-p.done:
				p.show(t.progress(server))
				p.end()
				return
			}
		}
	}()
	return p
}

// stop shows the last line and waits until it is written.
func (p *progress) stop() {
	close(p.done)
	<-p.stopped
}

func (p *progress) show(line string, notes []string) {
	for _, note := range notes {
		p.clear()
		fmt.Fprintf(p.out, "        %s\n", note)
	}
	if p.terminal {
		p.clear()
		fmt.Fprint(p.out, line)
		return
	}
	fmt.Fprintln(p.out, line)
}

// clear empties the line that the next text overwrites.
func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.out)
	}
}

// isTerminal reports whether out is a terminal that understands control
// sequences.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
