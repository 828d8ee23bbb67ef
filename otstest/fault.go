package otstest

import (
	"context"
	"net/http"
	"time"
)

// A Fault is what goes wrong with a request. Its fields can be combined; the
// zero Fault changes nothing. See [Server.Fail].
type Fault struct {
	// STS: the fault hits a request to STS. Otherwise one to Tablestore.
	STS bool
	// Action limits the fault to requests for that action. Empty: any.
	Action string
	// Delay passes before the request is looked at; the request's context ends
	// it early.
	Delay time.Duration
	// StatusCode, if not zero, is answered with Code and Message instead of
	// doing what the request asks for. The request is still verified first.
	StatusCode    int
	Code, Message string
	// Revoke revokes the temporary credentials that the request names, before it
	// is looked at.
	Revoke bool
	// Reset cuts the connection without an answer, before the request is
	// looked at.
	Reset bool
	// ResetAfter does what the request asks for and cuts the connection then.
	ResetAfter bool
	// Truncate cuts the answer off in the middle of its body.
	Truncate bool
	// PlainBody, if not empty, is the answer's whole body, with StatusCode (zero:
	// 200) and without any header of the service: what a proxy says.
	PlainBody string
	// WrongMD5 puts another body's MD5 into the answer of Tablestore, and signs
	// it.
	WrongMD5 bool
	// WrongSignature signs the answer of Tablestore with another key.
	WrongSignature bool
	// ClockOffset is added to the date in the answer of Tablestore.
	ClockOffset time.Duration
}

// Throttled is the fault of a service that is overloaded: 503 OTSServerBusy,
// or for STS Throttling.User.
func Throttled(sts bool) Fault {
	if sts {
		return Fault{STS: true, StatusCode: http.StatusTooManyRequests, Code: "Throttling.User", Message: "Request was denied due to user flow control."}
	}
	return Fault{StatusCode: http.StatusServiceUnavailable, Code: "OTSServerBusy", Message: "Server is busy."}
}

// Unavailable is the fault of a service that is down: 503
// OTSServerUnavailable, or for STS ServiceUnavailable.
func Unavailable(sts bool) Fault {
	if sts {
		return Fault{STS: true, StatusCode: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The request has failed due to a temporary failure of the server."}
	}
	return Fault{StatusCode: http.StatusServiceUnavailable, Code: "OTSServerUnavailable", Message: "Server is not available."}
}

// plannedFault is a fault with the number of requests it still hits; negative:
// all.
type plannedFault struct {
	Fault
	left int
}

// Fail makes the next n requests that f applies to go wrong, or, with a
// negative n, all until [Server.Heal]. Faults are used up in the order in
// which they were planned, one a request.
func (s *Server) Fail(n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n != 0 {
		s.faults = append(s.faults, &plannedFault{f, n})
	}
}

// Heal forgets all planned faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// nextFault takes the fault for a request.
func (s *Server) nextFault(sts bool, action string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.STS != sts || f.Action != "" && f.Action != action {
			continue
		}
		if f.left > 0 {
			f.left--
		}
		if f.left == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f.Fault
	}
	return Fault{}
}

// wait passes the fault's delay; it reports false if ctx ended first.
func (f *Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
