package egress

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// DefaultTimeout is how long a request may take from resolving the name to the end of the answer.
const DefaultTimeout = 10 * time.Second

// MaxURL is the greatest length of a URL, in bytes.
const MaxURL = 2048

// Limits of what a peer can make the client do and hold.
const (
	maxRedirects = 3
	maxHeader    = 16 << 10 // bytes of the answer's header
	maxBody      = 64 << 10 // bytes of the answer's body, which is read only so that the connection can be used again
	maxConns     = 8        // connections to one host
	maxIdle      = 16       // connections without a request
	idleTimeout  = 30 * time.Second
	stepTimeout  = 5 * time.Second // to connect, and to agree on TLS
)

// UserAgent is how the client calls itself.
const UserAgent = "castellan"

// Config says what a [Client] may do. The zero Config is the strictest.
type Config struct {
	// Allowed are addresses that may be called although they are not of the public Internet, see
	// [ParseAllowed].
	Allowed []netip.Prefix
	// Timeout bounds a request; 0 is [DefaultTimeout].
	Timeout time.Duration
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	timeout time.Duration
	dialer  *net.Dialer
	http    *http.Client
}

// New returns a client.
func New(cfg Config) *Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	c := &Client{timeout: cfg.Timeout, dialer: &net.Dialer{
		Timeout: stepTimeout,
		// It is asked with the address of each connection that is about to be made.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return check(at.Addr(), cfg.Allowed)
		},
	}}
	c.http = &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:                  nil, // it would connect for us, to whatever it likes
			DialContext:            c.dialer.DialContext,
			TLSHandshakeTimeout:    stepTimeout,
			DisableCompression:     true, // what little is read is thrown away
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    1,
			MaxConnsPerHost:        maxConns,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
	return c
}

// ParseURL reads a URL that can be called: http or https, with a host, without user and password,
// of at most [MaxURL] bytes (RFC 9110 section 4.2). Whether its host may be called shows when
// that is tried. It returns an error for which errors.Is holds with [ErrURL].
func ParseURL(text string) (*url.URL, error) {
	if len(text) > MaxURL || !utf8.ValidString(text) {
		return nil, &Error{reason: "the URL must be text of at most " + strconv.Itoa(MaxURL) + " bytes", cause: ErrURL}
	}
	u, err := url.Parse(text)
	if err != nil { // what is wrong with it cannot be told without repeating it
		return nil, &Error{reason: "the URL cannot be parsed", cause: ErrURL}
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkURL is the part of [ParseURL] that a redirect has to pass too.
func checkURL(u *url.URL) error {
	refuse := func(reason string) error { return &Error{reason: reason, cause: ErrURL} }
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("the URL must begin with http:// or https://")
	case u.User != nil:
		return refuse("the URL must not have a user or password")
	case u.Hostname() == "":
		return refuse("the URL must have a host")
	}
	if u.Port() != "" {
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			return refuse("the port of the URL must be 1 to 65535")
		}
	}
	return nil
}

// checkRedirect decides whether the next request is made. Redirects after which the message
// would not be sent, because the method becomes GET, are refused: their answer would look as if
// it had arrived.
func checkRedirect(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1]
	switch {
	case len(before) > maxRedirects:
		return &Error{reason: "redirected more than " + strconv.Itoa(maxRedirects) + " times"}
	case next.Method != last.Method:
		return &Error{reason: "redirected in a way that loses the message; only 307 and 308 keep it"}
	case last.URL.Scheme == "https" && next.URL.Scheme != "https":
		return &Error{reason: "redirected from https to http"}
	}
	next.Header.Del("Referer") // the URL may hold a secret that is not for the next host
	if err := checkURL(next.URL); err != nil {
		// Not an ErrURL: the next time it may lead elsewhere.
		return &Error{reason: "redirected to a URL that cannot be called: " + strings.TrimPrefix(err.Error(), "the URL ")}
	}
	return nil
}

// Post sends a message and returns the status of the answer, whatever it is; no status of a
// redirect that could be followed. header may be nil. Once there is a status the message has
// arrived, and how the body of the answer ends does not matter.
//
// It returns the error of ctx when that ends, and otherwise an *[Error]: errors.Is holds with
// [ErrURL] for a URL that can never be called, errors.As with *[AddressError] for a host that
// must not be.
func (c *Client) Post(ctx context.Context, to string, header http.Header, message []byte) (status int, err error) {
	err = c.send(ctx, http.MethodPost, to, header, message, func(answer *http.Response) error {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody))
		status = answer.StatusCode
		return nil
	})
	return status, err
}

// Get returns the status of the answer to a GET, whatever it is, and at most limit bytes of its body.
// It returns the errors of [Client.Post], also when the body ends too early or too late.
func (c *Client) Get(ctx context.Context, from string, limit int) (status int, body []byte, err error) {
	err = c.send(ctx, http.MethodGet, from, nil, nil, func(answer *http.Response) (err error) {
		body, err = io.ReadAll(io.LimitReader(answer.Body, int64(limit)))
		status = answer.StatusCode
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return status, body, nil
}

// send sends a request and gives the answer to read, whose error counts as one of the request.
func (c *Client) send(ctx context.Context, method, to string, header http.Header, message []byte,
	read func(answer *http.Response) error,
) error {
	u, err := ParseURL(to)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(within, method, u.String(), bytes.NewReader(message))
	if err != nil {
		return &Error{reason: "the URL cannot be called", cause: ErrURL}
	}
	if header != nil {
		r.Header = header.Clone()
	}
	r.Header.Set("User-Agent", UserAgent)
	answer, err := c.http.Do(r)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if err := read(answer); err != nil {
		return c.explain(ctx, err)
	}
	return nil
}

// Close closes connections that wait for another request.
func (c *Client) Close() { c.http.CloseIdleConnections() }
