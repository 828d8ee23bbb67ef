package client_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// TestEachHintSaysTheNextStep meets each entry of the table of hints: where it
// can, with what the service itself refuses, and else with a planned answer in
// the service's words.
func TestEachHintSaysTheNextStep(t *testing.T) {
	met := map[string]bool{}
	check := func(t *testing.T, err error, code client.Code, hint string) {
		t.Helper()
		require.ErrorIs(t, err, code)
		var ce *client.Error
		require.ErrorAs(t, err, &ce)
		require.Contains(t, ce.Hint, hint)
		require.True(t, strings.HasSuffix(err.Error(), "; "+ce.Hint), "the text ends with the hint")
		met[ce.Hint] = true
	}
	server := otstest.NewServer(t, nil)
	with := func(p otsauth.Provider) *client.OTSClient {
		return inProcess(t, server, p, client.Options{Retry: client.NoRetryPolicy{}})
	}
	c := with(server.Provider())
	createTable(t, c)

	owner, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	issued, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	revoked, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	server.Revoke(revoked.AccessKeyID)

	for name, refused := range map[string]struct {
		call func(context.Context) error
		code client.Code
		hint string
	}{
		"a wrong secret": {func(ctx context.Context) error {
			return getRow(ctx, with(otsauth.Static(otsauth.Credentials{AccessKeyID: owner.AccessKeyID, AccessKeySecret: otsauth.NewSecret("wrong")})))
		}, client.CodeAuthFailed, "secret belongs to the AccessKey ID"},
		"an unknown key": {func(ctx context.Context) error {
			return getRow(ctx, with(otsauth.Static(otsauth.Credentials{AccessKeyID: "unknown", AccessKeySecret: otsauth.NewSecret("sk")})))
		}, client.CodeAuthFailed, "check the AccessKey ID"},
		"a temporary key without its token": {func(ctx context.Context) error {
			return getRow(ctx, with(otsauth.Static(otsauth.Credentials{AccessKeyID: issued.AccessKeyID, AccessKeySecret: issued.AccessKeySecret})))
		}, client.CodeAuthFailed, "also needs its security token"},
		"a revoked token that is all there is": {func(ctx context.Context) error {
			return getRow(ctx, with(otsauth.Static(revoked)))
		}, client.CodeAuthFailed, "refused twice"},
		"another instance": {func(ctx context.Context) error {
			other, err := client.New("https://otstest.invalid", "other", server.Provider(), &client.Options{Transport: server.Transport()})
			require.NoError(t, err)
			defer other.Close()
			return getRow(ctx, other)
		}, client.CodeAuthFailed, "check the instance name"},
		"no such table": {func(ctx context.Context) error {
			_, err := c.GetRow(ctx, &client.GetRowRequest{Table: "none", PrimaryKey: rowKey("a")})
			return err
		}, client.CodeObjectNotExist, "create the table"},
		"the table is there already": {func(ctx context.Context) error {
			_, err := c.CreateTable(ctx, &client.CreateTableRequest{
				Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
			})
			return err
		}, client.CodeObjectAlreadyExist, "use the table as it is"},
		"half a primary key": {func(ctx context.Context) error {
			_, err := c.GetRow(ctx, &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")[:1]})
			return err
		}, client.CodeInvalidPK, "all primary key columns"},
		"a row that should be there": {func(ctx context.Context) error {
			_, err := c.PutRow(ctx, &client.PutRowRequest{
				Table: "table", PrimaryKey: rowKey("none"), Condition: &client.Condition{RowExistence: client.ExpectExist},
			})
			return err
		}, client.CodeConditionCheckFail, "read the row again"},
	} {
		t.Run(name, func(t *testing.T) { check(t, refused.call(t.Context()), refused.code, refused.hint) })
	}

	for _, answered := range []struct {
		status        int
		code, message string
		hint          string
	}{
		{403, "OTSAuthFailed", "The AccessKeyID is disabled.", "enable the AccessKey"},
		{403, "OTSAuthFailed", "The user is disabled.", "enable the AccessKey or the account"},
		{403, "OTSAuthFailed", "The user does not exist.", "Tablestore activated"},
		{403, "OTSAuthFailed", "The instance is not running.", "Tablestore console"},
		{403, "OTSAuthFailed", "The user has no privilege to access the instance.", "grant the RAM user"},
		{403, "OTSAuthFailed", "Mismatch between system time and x-ots-date: Sat, 07 Jun 2014 14:25:40 GMT.", "set this machine's clock"},
		{403, "OTSAuthFailed", "Mismatch between MD5 value of request body and x-ots-contentmd5 in header.", "look for a proxy"},
		{403, "OTSAuthFailed", "Request denied by instance ACL policies.", "access control list"},
		{403, "OTSAuthFailed", "Request denied because this instance can only be accessed from the binded VPC.", "use the VPC endpoint"},
		{403, "OTSNoPermissionAccess", "You have no permission to access the requested resource, please contact the resource owner", "in a policy"},
		{404, "OTSTableNotReady", "The table is not ready.", "a few seconds"},
		{403, "OTSQuotaExhausted", "Too frequent table operations.", "less often"},
		{403, "OTSQuotaExhausted", "Number of tables exceeded the quota.", "delete a table"},
		{503, "OTSServerBusy", "Server is busy.", "send less"},
		{400, "OTSParameterInvalid", "Missing header: x-ots-date.", "removes headers"},
		{403, "OTSAuthFailed", "Something new.", "the service's message says which"},
		{409, "OTSRowOperationConflict", "Data is being modified by the other request.", "fewer places at once"},
		{403, "OTSNotEnoughCapacityUnit", "Remaining capacity unit is not enough.", "reserve more"},
		{403, "OTSCapacityUnitExhausted", "Capacity unit is not enough.", "reserve more"},
		{503, "OTSOperationThrottled", "Operation throttled.", "spreads its load"},
		{429, "OTSFlowControl", "The requests have been throttled.", "higher quota"},
		{503, "OTSPartitionUnavailable", "The partition is not available.", "moved or split"},
		{503, "OTSServerUnavailable", "Server is not available.", "give support the request ID"},
		{500, "OTSInternalServerError", "Internal server error.", "give support the request ID"},
		{503, "OTSTimeout", "Operation timeout.", "ask for less"},
		{408, "OTSRequestTimeout", "Request timeout.", "too slowly"},
		{400, "OTSOutOfRowSizeLimit", "The total data size of columns in one row exceeded the limit.", "split the row"},
		{400, "OTSOutOfColumnCountLimit", "The number of columns in one row exceeded the limit.", "fewer columns"},
		{413, "OTSRequestBodyTooLarge", "The size of POST data is too large.", "smaller rows"},
		{403, "OTSTooFrequentReservedThroughputAdjustment", "Capacity unit adjustment is too frequent.", "less often"},
		{400, "OTSForbiddenUpdateCapacityUnit", "Your instance is forbidden to update capacity unit.", "throughput is fixed"},
		{405, "OTSMethodNotAllowed", "Only POST method for requests is supported.", "the request's method"},
	} {
		t.Run(answered.message, func(t *testing.T) {
			server.Fail(1, otstest.Fault{StatusCode: answered.status, Code: answered.code, Message: answered.message})
			check(t, getRow(t.Context(), c), client.Code(answered.code), answered.hint)
		})
	}

	for _, hint := range client.Hints() {
		require.True(t, met[hint], "no test meets the hint %q", hint)
	}
}

func TestAnErrorWithoutANextStepHasNoHint(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	server.Fail(1, otstest.Fault{StatusCode: 400, Code: "OTSSomethingNew", Message: "Something new."})
	_, err := c.ListTable(t.Context())
	var ce *client.Error
	require.ErrorAs(t, err, &ce)
	require.Empty(t, ce.Hint)
	require.Equal(t, "client: ListTable: OTSSomethingNew: Something new. (HTTP 400), request "+ce.RequestID, err.Error())
}

func TestAnAnswerOfAProxyIsCalledOne(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Retry: client.NoRetryPolicy{}})
	for _, body := range []string{"<html>Bad gateway</html>", "\x0a\x05hello"} { // the second is a protobuf Error with another code
		server.Fail(1, otstest.Fault{StatusCode: 502, PlainBody: body})
		_, err := c.ListTable(t.Context())
		require.EqualError(t, err, "client: ListTable: HTTP 502 without an error of Tablestore's; the answer is not Tablestore's; check the endpoint and the proxy")
	}
}
