// Package otsauth gets credentials for Alibaba Cloud Tablestore (OTS) and keeps
// them valid: build the client once, and no request fails because a token
// expired.
package otsauth
