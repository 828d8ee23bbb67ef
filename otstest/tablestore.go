package otstest

import (
	"cmp"
	"context"
	"crypto/sha1" // an answer is signed with HMAC-SHA1
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/internal/redact"
)

const (
	codeAuthFailed       = "OTSAuthFailed"
	codeParameterInvalid = "OTSParameterInvalid"

	answerDateLayout = "2006-01-02T15:04:05.000Z"
)

// action does what a verified request asks for.
type action func(s *Server, body []byte) (proto.Message, *refusal)

// actionOf returns the operation with a name, or nil.
func actionOf(name string) action {
	switch name {
	case "ListTable":
		return decoded((*Server).listTable)
	case "CreateTable":
		return decoded((*Server).createTable)
	case "DescribeTable":
		return decoded((*Server).describeTable)
	case "UpdateTable":
		return decoded((*Server).updateTable)
	case "DeleteTable":
		return decoded((*Server).deleteTable)
	case "PutRow":
		return decoded((*Server).putRow)
	case "UpdateRow":
		return decoded((*Server).updateRow)
	case "DeleteRow":
		return decoded((*Server).deleteRow)
	case "GetRow":
		return decoded((*Server).getRow)
	case "GetRange":
		return decoded((*Server).getRange)
	case "BatchGetRow":
		return decoded((*Server).batchGetRow)
	case "BatchWriteRow":
		return decoded((*Server).batchWriteRow)
	}
	return nil
}

// decoded makes an action of a method that takes the decoded request.
func decoded[T any, M interface {
	*T
	proto.Message
}](do func(*Server, M) (proto.Message, *refusal),
) action {
	return func(s *Server, body []byte) (proto.Message, *refusal) {
		request := M(new(T))
		if err := proto.Unmarshal(body, request); err != nil {
			return nil, refuseMessage("%v", err)
		}
		return do(s, request)
	}
}

// isKnown reports whether an enumeration has the value: the runtime lets any pass.
func isKnown(value protoreflect.Enum) bool {
	return value.Descriptor().Values().ByNumber(value.Number()) != nil
}

// refuseMessage refuses a request that is no message of its action's.
func refuseMessage(reason string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, codeParameterInvalid, "Failed to parse the ProtoBuf message.", reason, args...)
}

// encoded is the refusal as the service sends it.
func (r *refusal) encoded() *otspb.Error {
	return &otspb.Error{Code: proto.String(r.Code), Message: proto.String(r.Message)}
}

// serveTablestore verifies a request, does it, and signs the answer.
func (s *Server) serveTablestore(ctx context.Context, r *inbound) *answer {
	seen := Request{Action: r.action(), AccessKeyID: r.header.Get("x-ots-accesskeyid"), RequestID: newRequestID()}
	defer func() { s.record(seen, false) }()

	fault := s.nextFault(false, r.action())
	if !fault.wait(ctx) || fault.Reset {
		seen.Reason = "the connection was cut before the request was looked at"
		return &answer{reset: true}
	}
	if fault.Revoke {
		s.keys.revoke(seen.AccessKeyID)
	}
	message, refused := s.do(r, &fault)
	seen.StringToSign = maskToken(r)
	if fault.ResetAfter {
		seen.Reason = "the connection was cut after the request was done"
		return &answer{reset: true}
	}
	if fault.PlainBody != "" {
		seen.StatusCode, seen.Reason = cmp.Or(fault.StatusCode, http.StatusOK), "a plain answer was planned"
		return &answer{status: seen.StatusCode, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(fault.PlainBody)}
	}
	status := http.StatusOK
	if refused != nil {
		status, seen.Code, seen.Message, seen.Reason = refused.StatusCode, refused.Code, refused.Message, refused.reason
		message = refused.encoded()
	}
	seen.StatusCode = status
	body, err := proto.Marshal(message)
	if err != nil { // no action returns a message without its required fields
		seen.StatusCode, seen.Reason = http.StatusInternalServerError, err.Error()
		return &answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	return s.sign(r, &answer{status: status, body: body, cut: fault.Truncate}, seen.RequestID, &fault)
}

// do verifies a request, and does it unless a fault says otherwise.
func (s *Server) do(r *inbound, fault *Fault) (proto.Message, *refusal) {
	if len(r.body) > maxBody {
		return nil, refuse(http.StatusRequestEntityTooLarge, "OTSRequestBodyTooLarge", "The size of POST data is too large.", "the body is larger than %d bytes", maxBody)
	}
	if refused := s.verify(r); refused != nil {
		return nil, refused
	}
	if fault.StatusCode != 0 {
		return nil, refuse(fault.StatusCode, fault.Code, fault.Message, "a fault was planned")
	}
	body, refused := decompressed(r)
	if refused != nil {
		return nil, refused
	}
	return actionOf(r.action())(s, body)
}

// sign sets the headers of an answer. An answer to an unknown key, or to one
// that is refused, is not signed; the official clients expect no more.
func (s *Server) sign(r *inbound, a *answer, requestID string, fault *Fault) *answer {
	a.header = http.Header{}
	a.header.Set("x-ots-requestid", requestID)
	a.header.Set("x-ots-date", s.opts.Now().Add(fault.ClockOffset).UTC().Format(answerDateLayout))
	a.header.Set("x-ots-contenttype", "protocol buffer")
	a.header.Set("x-ots-contentmd5", md5Of(a.body))
	if fault.WrongMD5 {
		a.header.Set("x-ots-contentmd5", md5Of(append(a.body, 'x')))
	}
	if r.key != nil {
		signAnswer(a.header, r)
	}
	if fault.WrongSignature && r.key != nil {
		a.header.Set("Authorization", "OTS "+r.key.AccessKeyID+":"+sum(sha1.New, "another key", r.path))
	}
	return a
}

// maskToken returns the string-to-sign without the security token.
func maskToken(r *inbound) string {
	if token := r.header.Get("x-ots-ststoken"); token != "" {
		return strings.ReplaceAll(r.stringToSign, token, redact.Mask)
	}
	return r.stringToSign
}
