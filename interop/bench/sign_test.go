package bench_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

const (
	region   = "cn-hangzhou"
	instance = "my-instance"
	keyID    = "STS.NUabcdefghijklmnopqrstuvw"
)

// scene is one row of the table: what is signed, and with what.
type scene struct {
	region string // set: V4
	token  string
	body   []byte
}

func (s scene) name() string {
	version := "V2"
	if s.region != "" {
		version = "V4"
	}
	return fmt.Sprintf("version=%s/token=%d", version, len(s.token))
}

// scenes are both versions, without a token and with a usual one.
func scenes(body []byte) []scene {
	var all []scene
	for _, r := range []string{"", region} {
		for _, token := range []string{"", strings.Repeat("t", 700)} {
			all = append(all, scene{r, token, body})
		}
	}
	return all
}

// ours returns our signer.
func (s scene) ours(b *testing.B) (*signer.Signer, otsauth.Credentials) {
	b.Helper()
	c := otsauth.Credentials{AccessKeyID: keyID, AccessKeySecret: otsauth.NewSecret(strings.Repeat("s", 44)), SecurityToken: otsauth.NewSecret(s.token)}
	made, err := signer.New(otsauth.Static(c), instance, &signer.Options{Region: s.region})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = made.Close() })
	return made, c
}

// sdk returns the official SDK's credentials, as its client keeps them.
func (s scene) sdk() common.CredentialsProvider {
	plain := &common.DefaultCredentials{AccessKeyID: keyID, AccessKeySecret: strings.Repeat("s", 44), SecurityToken: s.token}
	if s.region == "" {
		return &common.DefaultCredentialsProvider{AccessKeyID: plain.AccessKeyID, AccessKeySecret: plain.AccessKeySecret, SecurityToken: plain.SecurityToken}
	}
	return common.CreateByCredentials(plain, s.region)
}

func newRequest(b *testing.B, body []byte) *http.Request {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://example.com/GetRow", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	return req
}

// floor is an HMAC with a ready key over the same bytes, and its base64.
type floor struct {
	mac  hash.Hash
	text []byte
	sum  [32]byte
}

func (s scene) floor(b *testing.B) *floor {
	b.Helper()
	made, c := s.ours(b)
	req := newRequest(b, s.body)
	if _, err := made.Sign(b.Context(), req, s.body); err != nil {
		b.Fatal(err)
	}
	f := &floor{text: []byte(signer.StringToSign(req.Method, req.URL.Path, req.Header))}
	if f.mac = hmac.New(sha1.New, []byte(c.AccessKeySecret.Reveal())); s.region != "" {
		f.mac, f.text = hmac.New(sha256.New, []byte(c.AccessKeySecret.Reveal())), append(f.text, "ots"...)
	}
	return f
}

func (f *floor) sign() string {
	f.mac.Reset()
	f.mac.Write(f.text)
	return base64.StdEncoding.EncodeToString(f.mac.Sum(f.sum[:0]))
}

// prepareSDK does what the SDK's doRequest does between NewRequest and the
// sending, with its exported functions.
// v1.9.3's snapshot of V4 credentials forgets the token, so it comes separately:
// to sign less is no speed.
func prepareSDK(b *testing.B, req *http.Request, body []byte, provider common.CredentialsProvider, token string) {
	credentials := provider.GetCredentials()
	if v4, ok := credentials.(common.CredentialsV4); ok {
		credentials = v4.GetSnapshot()
	}
	req.Header.Set("User-Agent", "bench")
	req.Header.Set("x-ots-date", time.Now().UTC().Format("2006-01-02T15:04:05.123Z"))
	req.Header.Set("x-ots-apiversion", "2015-12-31")
	req.Header.Set("x-ots-accesskeyid", credentials.GetAccessKeyID())
	req.Header.Set("x-ots-instancename", instance)
	sum := md5.Sum(body)
	req.Header.Set("x-ots-contentmd5", base64.StdEncoding.EncodeToString(sum[:]))
	if token != "" {
		req.Header.Set("x-ots-ststoken", token)
	}
	tablestore.AddExtraHeader(req, credentials)
	signature, err := tablestore.GetSignature("/GetRow", "POST", credentials, req.Header)
	if err != nil {
		b.Fatal(err)
	}
	tablestore.AddSignatureHeader(req, credentials, signature)
}

// BenchmarkSignature signs headers that are set already.
func BenchmarkSignature(b *testing.B) {
	for _, s := range scenes(nil) {
		b.Run(s.name()+"/impl=floor", func(b *testing.B) {
			f := s.floor(b)
			b.ReportAllocs()
			for b.Loop() {
				f.sign()
			}
		})
		b.Run(s.name()+"/impl=otsauth", func(b *testing.B) {
			made, c := s.ours(b)
			req := newRequest(b, nil)
			if _, err := made.Sign(b.Context(), req, nil); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := made.Signature(c, req.Method, req.URL.Path, req.Header); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name()+"/impl=sdk", func(b *testing.B) {
			req := newRequest(b, nil)
			provider := s.sdk()
			prepareSDK(b, req, nil, provider, s.token)
			req.Header.Del("x-ots-signature")
			req.Header.Del("x-ots-signaturev4")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tablestore.GetSignature("/GetRow", "POST", provider.GetCredentials(), req.Header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPrepare sets all headers of a new request, digest and signature
// included.
func BenchmarkPrepare(b *testing.B) {
	for _, size := range []int{200, 4 << 10, 1 << 20} {
		for _, s := range scenes(make([]byte, size)) {
			if size > 200 && s.token == "" {
				continue
			}
			name := fmt.Sprintf("body=%d/%s", size, s.name())
			b.Run(name+"/impl=floor", func(b *testing.B) {
				f := s.floor(b)
				b.ReportAllocs()
				for b.Loop() {
					sum := md5.Sum(s.body)
					_ = base64.StdEncoding.EncodeToString(sum[:])
					f.sign()
				}
			})
			b.Run(name+"/impl=otsauth", func(b *testing.B) {
				made, _ := s.ours(b)
				req := newRequest(b, s.body)
				b.ReportAllocs()
				for b.Loop() {
					req.Header = nil // Sign makes it, as NewRequest does for the SDK
					if _, err := made.Sign(b.Context(), req, s.body); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"/impl=sdk", func(b *testing.B) {
				provider := s.sdk()
				req := newRequest(b, s.body)
				b.ReportAllocs()
				for b.Loop() {
					req.Header = http.Header{}
					prepareSDK(b, req, s.body, provider, s.token)
				}
			})
		}
	}
}

// BenchmarkPrepareParallel is BenchmarkPrepare on all cores at once.
func BenchmarkPrepareParallel(b *testing.B) {
	for _, s := range scenes(make([]byte, 200)) {
		if s.token == "" {
			continue
		}
		b.Run(s.name()+"/impl=otsauth", func(b *testing.B) {
			made, _ := s.ours(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req := newRequest(b, s.body)
				for pb.Next() {
					req.Header = nil
					if _, err := made.Sign(b.Context(), req, s.body); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run(s.name()+"/impl=sdk", func(b *testing.B) {
			provider := s.sdk()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req := newRequest(b, s.body)
				for pb.Next() {
					req.Header = http.Header{}
					prepareSDK(b, req, s.body, provider, s.token)
				}
			})
		})
	}
}
