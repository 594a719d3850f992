package operation_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// pending is a request whose handler waits for its body: the server has asked for it.
type pending struct {
	body   *io.PipeWriter
	text   string
	answer chan outcome
}

type outcome struct {
	answer kit.Answer
	made   *systemv1.CreateInstanceResponse
	err    error
}

// begin sends the header of a creation over REST and returns when the server has begun to read
// the body, which "Expect: 100-continue" tells (RFC 9110 section 10.1.1).
func begin(t *testing.T, p *kit.Process, c *http.Client, wish *systemv1.CreateInstanceRequest) *pending {
	t.Helper()
	text, err := protojson.Marshal(wish)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	x := &pending{body: writer, text: string(text), answer: make(chan outcome, 1)}
	reading := make(chan struct{})
	ctx := httptrace.WithClientTrace(context.WithoutCancel(t.Context()), &httptrace.ClientTrace{
		Got100Continue: sync.OnceFunc(func() { close(reading) }),
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/instances/_create", reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Authorization": {"Bearer " + kit.Operator().Token(t)}, "Content-Type": {"application/json"}, "Expect": {"100-continue"},
	}
	go func() {
		o := outcome{made: new(systemv1.CreateInstanceResponse)}
		var res *http.Response
		if res, o.err = c.Do(r); o.err == nil {
			var answer []byte
			if answer, o.err = io.ReadAll(res.Body); o.err == nil {
				o.answer, o.err = kit.ReadREST(res.StatusCode, res.Header, answer, o.made)
			}
			res.Body.Close()
		}
		x.answer <- o
	}()
	select {
	case <-reading:
	case o := <-x.answer:
		t.Fatalf("answered before the body: %v %v", o.answer, o.err)
	case <-time.After(kit.Patience):
		t.Fatal("the server does not ask for the body")
	}
	return x
}

// send sends the body; a failure shows in the answer.
func (x *pending) send() {
	_, _ = io.Copy(x.body, strings.NewReader(x.text))
	_ = x.body.Close()
}

// abandon gives up without a body. The client waits for one even when its connection is gone.
func (x *pending) abandon() outcome {
	_ = x.body.CloseWithError(io.ErrUnexpectedEOF)
	return <-x.answer
}

// expecting returns a client for requests of begin.
func expecting(h2 bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetUnencryptedHTTP2(h2)
	return &http.Client{Transport: &http.Transport{Protocols: &p, ExpectContinueTimeout: kit.Patience}}
}

// TestShutdownFinishesRequests: after SIGTERM nobody can connect any more, yet whoever has begun
// gets an answer that holds: requests whose bodies come slowly, over both versions of HTTP, and
// persons whose passwords are being hashed.
func TestShutdownFinishesRequests(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		p := b.Exec(t)
		h1, h2 := expecting(false), expecting(true)
		slow := []*pending{
			begin(t, p, h1, kit.Machine("slow body")), begin(t, p, h2, kit.Machine("slow body over HTTP/2")),
			begin(t, p, h2, kit.WithKey(kit.Machine("with a key"))),
		}
		var hashing []*pending
		for range 6 {
			hashing = append(hashing, begin(t, p, h1, kit.Human("password")))
		}
		for _, x := range hashing {
			x.send()
		}
		p.Terminate(t)
		p.Logs.Wait(t, `"msg":"stopping"`, p.Ended)
		waitRefused(t, p.URL)
		for _, x := range slow {
			x.send()
		}
		var made []string
		for _, x := range append(slow, hashing...) {
			o := <-x.answer
			if o.err != nil || o.answer.Code != codes.OK {
				t.Fatalf("a request in flight: %v %v; logged:\n%s", o.answer, o.err, p.Logs.Bytes())
			}
			made = append(made, o.made.GetInstanceId())
		}
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		if err := p.Wait(t); err != nil {
			t.Errorf("the program did not end in order: %v; it logged:\n%s", err, p.Logs.Bytes())
		}
		n := b.Start(t, nil)
		for _, id := range made {
			if _, a := n.Get(t, id); a.Code != codes.OK {
				t.Errorf("instance %s: %v", id, a)
			}
		}
		if got := kit.CheckWhole(t, n.DB()); len(got) != len(made) {
			t.Errorf("%d instances, answered were %d", len(got), len(made))
		}
	})
}

// waitRefused returns when nobody can connect any more.
func waitRefused(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(kit.Patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("the program still takes connections")
}

// TestShutdownGraceEnds: a request that never ends does not keep the program from ending.
func TestShutdownGraceEnds(t *testing.T) {
	t.Parallel()
	b := kit.NewBackend(t, "sqlite")
	p := b.Exec(t, "SHUTDOWN_GRACE=50ms")
	x := begin(t, p, expecting(false), kit.Machine("never"))
	p.Terminate(t)
	if err := p.Wait(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	p.Logs.Wait(t, "requests did not finish within the grace", p.Ended)
	if o := x.abandon(); o.err == nil {
		t.Errorf("answered %v without a body", o.answer)
	}
	n := b.Start(t, nil)
	if got := kit.CheckWhole(t, n.DB()); len(got) != 0 {
		t.Errorf("%d instances", len(got))
	}
}

// TestSecondSignalEndsAtOnce: an operator who is in a hurry need not wait for the grace.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := kit.NewBackend(t, "sqlite").Exec(t, "SHUTDOWN_GRACE=1h")
	x := begin(t, p, expecting(false), kit.Machine("never"))
	p.Terminate(t)
	p.Logs.Wait(t, `"msg":"stopping"`, p.Ended)
	p.Terminate(t)
	if err := p.Wait(t); err == nil {
		t.Error("ended in order, with a request in flight")
	}
	x.abandon()
}
