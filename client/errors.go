package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

// A Code is one of the service's error codes. It is an error only so that
// errors.Is can compare with it; do not return one, it says too little.
type Code string

// Error returns the code.
func (c Code) Error() string { return string(c) }

// The codes that callers and retry policies ask for. (Source: the
// documentation's error code page; CodeNotEnoughCapacityUnit and
// CodeOperationThrottled are those that the official SDKs retry.)
const (
	CodeAuthFailed            Code = "OTSAuthFailed"
	CodeNoPermissionAccess    Code = "OTSNoPermissionAccess"
	CodeParameterInvalid      Code = "OTSParameterInvalid"
	CodeInvalidPK             Code = "OTSInvalidPK"
	CodeObjectNotExist        Code = "OTSObjectNotExist"
	CodeObjectAlreadyExist    Code = "OTSObjectAlreadyExist"
	CodeTableNotReady         Code = "OTSTableNotReady"
	CodeConditionCheckFail    Code = "OTSConditionCheckFail"
	CodeRowOperationConflict  Code = "OTSRowOperationConflict"
	CodeNotEnoughCapacityUnit Code = "OTSNotEnoughCapacityUnit"
	CodeOperationThrottled    Code = "OTSOperationThrottled"
	CodeQuotaExhausted        Code = "OTSQuotaExhausted"
	CodePartitionUnavailable  Code = "OTSPartitionUnavailable"
	CodeServerBusy            Code = "OTSServerBusy"
	CodeServerUnavailable     Code = "OTSServerUnavailable"
	CodeInternalServerError   Code = "OTSInternalServerError"
	CodeTimeout               Code = "OTSTimeout"

	CodeOutOfRowSizeLimit                       Code = "OTSOutOfRowSizeLimit"
	CodeOutOfColumnCountLimit                   Code = "OTSOutOfColumnCountLimit"
	CodeRequestBodyTooLarge                     Code = "OTSRequestBodyTooLarge"
	CodeRequestTimeout                          Code = "OTSRequestTimeout"
	CodeFlowControl                             Code = "OTSFlowControl"
	CodeCapacityUnitExhausted                   Code = "OTSCapacityUnitExhausted"
	CodeTooFrequentReservedThroughputAdjustment Code = "OTSTooFrequentReservedThroughputAdjustment"
	CodeForbiddenUpdateCapacityUnit             Code = "OTSForbiddenUpdateCapacityUnit"
	CodeMethodNotAllowed                        Code = "OTSMethodNotAllowed"
)

// An Error is a call that failed. If the service answered with an error, Code
// and Message are the service's, and errors.Is compares with a [Code]; else Err
// is the cause: the network's error, a [*signer.ResponseError], what the
// credentials' provider returned, or the context's error.
type Error struct {
	// Action is the Tablestore action, such as "GetRow".
	Action string
	// Code and Message are the service's; empty if it did not answer, or a
	// proxy answered in its place. Message is on one line of about 300 bytes at
	// the most, without a token or a string-to-sign.
	Code    Code
	Message string
	// RequestID is the service's name of the last attempt; support asks for it.
	RequestID string
	// Hint is the next step in words, or "".
	Hint string
	// StatusCode is the HTTP status of the answer that is the error; 0 if there
	// is none, or what arrived cannot be believed.
	StatusCode int
	// Attempts is how many requests were sent, or tried to be.
	Attempts int
	// MaybeExecuted says that the service may have done what the request asks for,
	// which was not only to read: an attempt of the call got no answer, or one that
	// leaves it open.
	MaybeExecuted bool
	// Err is the cause of an error that the service did not answer, or nil.
	Err error
}

// Error returns all fields in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client: %s: %s", e.Action, e.reason())
	if re := (*signer.ResponseError)(nil); e.RequestID != "" && !errors.As(e.Err, &re) { // which says it too
		fmt.Fprintf(&b, ", request %s", e.RequestID)
	}
	if e.Attempts != 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// reason is what went wrong, without the call that it went wrong in.
func (e *Error) reason() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Code == "":
		return fmt.Sprintf("HTTP %d without an error of Tablestore's", e.StatusCode)
	}
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Code, e.Message, e.StatusCode)
}

// A reason is an error as the cause of another of the same call.
type reason struct{ of *Error }

// Error returns what the other error does not say itself.
func (r reason) Error() string { return r.of.reason() }

// Unwrap returns the error.
func (r reason) Unwrap() error { return r.of }

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && e.Code != "" && code == e.Code
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The next steps after a write whose outcome is open.
const (
	hintUnclear   = "it may have been done; read what is there before you send it again"
	hintCondition = "an attempt before may have written the row itself, so that the condition holds no more; read the row"
)

// mark says that the call may have been done, if it may.
func (e *Error) mark(unclear bool) {
	switch {
	case !unclear || e.MaybeExecuted:
		return
	case e.Code == CodeConditionCheckFail:
		e.Hint = hintCondition
	case e.Hint == "":
		e.Hint = hintUnclear
	default:
		e.Hint = hintUnclear + "; " + e.Hint
	}
	e.MaybeExecuted = true
}

const hintNotTablestore = "the answer is not Tablestore's; check the endpoint and the proxy"

// hint is the next step for an answer that is an error, or "".
func hint(code Code, message string) string {
	for _, h := range hints() {
		if h.code == code && strings.Contains(message, h.contains) {
			return h.hint
		}
	}
	return ""
}

// A nextStep is what to do about a code with a message that contains a text.
type nextStep struct {
	code     Code
	contains string
	hint     string
}

// hints are the next steps; the first that fits is it.
func hints() []nextStep {
	return []nextStep{
		{CodeAuthFailed, "Signature mismatch", "check that the AccessKey secret belongs to the AccessKey ID, and that no proxy changes x-ots- headers"},
		{CodeAuthFailed, "AccessKeyID does not exist", "check the AccessKey ID; a temporary one (STS.…) also needs its security token"},
		{CodeAuthFailed, "is disabled", "enable the AccessKey or the account in the RAM console"},
		{CodeAuthFailed, "user does not exist", "check that the account has Tablestore activated"},
		{CodeAuthFailed, "system time", "set this machine's clock: the service accepts 15 minutes' difference"},
		{CodeAuthFailed, "instance is not found", "check the instance name and that the endpoint is in its region"},
		{CodeAuthFailed, "instance is not running", "check the instance in the Tablestore console"},
		{CodeAuthFailed, "MD5", "something changed the body on its way; look for a proxy"},
		{CodeAuthFailed, "privilege", "use a key of the account that owns the instance, or grant the RAM user access"},
		{CodeAuthFailed, "ACL", "allow this network in the instance's access control list"},
		{CodeAuthFailed, "VPC", "use the VPC endpoint from inside the VPC that the instance is bound to"},
		{CodeAuthFailed, "token", "the temporary credentials were refused twice; check that their provider renews them"},
		{CodeNoPermissionAccess, "", "grant the RAM user or role the action and table in a policy"},
		{CodeObjectNotExist, "", "create the table, or check its name"},
		{CodeObjectAlreadyExist, "", "use the table as it is, or another name"},
		{CodeTableNotReady, "", "a new table needs a few seconds; try again"},
		{CodeInvalidPK, "", "give all primary key columns of the table, in the table's order, with the table's types"},
		{CodeConditionCheckFail, "", "read the row again and decide anew"},
		{CodeQuotaExhausted, "Too frequent", "create, change and delete tables less often"},
		{CodeQuotaExhausted, "Number of tables", "delete a table, or ask for a higher quota"},
		{CodeServerBusy, "", "send less at once; a table spreads its load by its first primary key column"},
		{CodeParameterInvalid, "Missing header", "a proxy between this machine and Tablestore removes headers"},
		{CodeAuthFailed, "", "check the key, the instance and the endpoint; the service's message says which"},
		{CodeRowOperationConflict, "", "write the row from fewer places at once"},
		{CodeNotEnoughCapacityUnit, "", "reserve more throughput for the table, or send less"},
		{CodeCapacityUnitExhausted, "", "reserve more throughput for the table, or send less"},
		{CodeOperationThrottled, "", "send less at once; a table spreads its load by its first primary key column"},
		{CodeFlowControl, "", "send less at once, or ask for a higher quota"},
		{CodePartitionUnavailable, "", "the partition is being moved or split; try again in a few seconds"},
		{CodeServerUnavailable, "", "try again; if it lasts, give support the request ID"},
		{CodeInternalServerError, "", "try again; if it lasts, give support the request ID"},
		{CodeTimeout, "", "ask for less at once, or try again"},
		{CodeRequestTimeout, "", "the request arrived too slowly; send less at once, or look at the network"},
		{CodeOutOfRowSizeLimit, "", "split the row, or keep large values elsewhere"},
		{CodeOutOfColumnCountLimit, "", "write fewer columns at once"},
		{CodeRequestBodyTooLarge, "", "send fewer or smaller rows at once"},
		{CodeTooFrequentReservedThroughputAdjustment, "", "change a table's throughput less often"},
		{CodeForbiddenUpdateCapacityUnit, "", "the instance's throughput is fixed; use another kind of instance, or leave Reserved out"},
		{CodeMethodNotAllowed, "", "a proxy between this machine and Tablestore changes the request's method"},
	}
}

// closedError says that the client was closed. It matches [otsauth.ErrClosed].
type closedError struct{}

// Error says what to do.
func (closedError) Error() string { return "the client is closed; make another with New" }

// Is reports whether target is [otsauth.ErrClosed].
func (closedError) Is(target error) bool { return target == otsauth.ErrClosed }

// sizeError says that an answer is too large.
type sizeError struct{ size int64 }

// Error says how large.
func (e *sizeError) Error() string {
	return fmt.Sprintf("the answer has %d bytes or more, and no more than %d are read; ask for less at once", e.size, maxResponse)
}

// credentialsError marks an attempt that was not sent for want of credentials.
type credentialsError struct{ err error }

// Error returns the cause's text.
func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }

// Unwrap returns the cause.
func (e *credentialsError) Unwrap() error { return e.err }
