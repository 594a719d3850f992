package kit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Stream is a call whose answers come one after the other.
type Stream struct {
	// Answer is the outcome, once Next has returned false.
	Answer Answer

	next   func(into proto.Message) (over bool, err error)
	cancel context.CancelFunc
}

// Next waits for the next message, and returns false when the stream is over. It fails the test for
// what is no answer in the protocol, and when nothing comes.
func (s *Stream) Next(t testing.TB, into proto.Message) bool {
	t.Helper()
	over, err := s.next(into)
	if err != nil {
		t.Fatalf("a stream: %v", err)
	}
	return !over
}

// Close leaves the stream.
func (s *Stream) Close() { s.cancel() }

// Streams are the protocols over which methods stream, with independent clients: all but REST.
func Streams() []string {
	return []string{"grpc", "grpc-web", "grpc-web-text", "connect", "connect-json"}
}

// Stream opens a stream over a protocol of [Streams].
func (c *Client) Stream(t testing.TB, wire string, call Call) *Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*Patience)
	t.Cleanup(cancel)
	s := &Stream{cancel: cancel}
	var err error
	switch wire {
	case "grpc":
		err = s.openGRPC(ctx, c, call)
	case "grpc-web", "grpc-web-text":
		err = s.openWeb(ctx, c, call, wire == "grpc-web-text")
	default:
		err = s.openConnect(ctx, c, call, wire == "connect-json")
	}
	if err != nil {
		t.Fatalf("open a stream of %s over %s: %v", call.Method, wire, err)
	}
	return s
}

func (s *Stream) openGRPC(ctx context.Context, c *Client, call Call) error {
	conn, err := c.GRPC()
	if err != nil {
		return err
	}
	md := metadata.MD{}
	for name, values := range call.header() {
		md.Append(name, values...)
	}
	stream, err := conn.NewStream(metadata.NewOutgoingContext(ctx, md), &grpc.StreamDesc{ServerStreams: true}, Path(call.Method))
	if err != nil {
		return err
	}
	// Of a stream that was refused already, receiving says why.
	if err := errors.Join(stream.SendMsg(call.Request), stream.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.next = func(into proto.Message) (bool, error) {
		err := stream.RecvMsg(into)
		if err == nil {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		st := status.Convert(err)
		s.Answer.Code, s.Answer.Message = st.Code(), st.Message()
		for _, d := range st.Proto().GetDetails() {
			if err := s.Answer.addDetail(d); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	return nil
}

// envelope is a message behind its flag and length, as gRPC-Web and Connect have it.
func envelope(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// readEnvelope reads the next one. It returns io.EOF when there is none.
func readEnvelope(r io.Reader) (flag byte, content []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	content = make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(r, content)
	return head[0], content, err
}

// open sends a request whose response goes on.
func open(ctx context.Context, c *Client, call Call, h http.Header, media string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+Path(call.Method), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = h
	h.Set("Content-Type", media)
	res, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != media {
		text, _ := io.ReadAll(res.Body) // for the message
		_ = res.Body.Close()
		return nil, fmt.Errorf("%w: status %d, Content-Type %q: %.200s", errNoAnswer, res.StatusCode, got, text)
	}
	return res, nil
}

// pieceReader decodes base64 of which every piece may be padded.
type pieceReader struct{ from io.Reader }

// Read implements io.Reader, one group of four at a time.
func (p pieceReader) Read(into []byte) (int, error) {
	if len(into) < 3 {
		return 0, io.ErrShortBuffer
	}
	var group [4]byte
	if _, err := io.ReadFull(p.from, group[:]); err != nil {
		return 0, err
	}
	return base64.StdEncoding.Decode(into, group[:])
}

func (s *Stream) openWeb(ctx context.Context, c *Client, call Call, asText bool) error {
	message, err := proto.Marshal(call.Request)
	if err != nil {
		return err
	}
	media, body := "application/grpc-web+proto", envelope(message)
	if asText {
		media, body = "application/grpc-web-text+proto", []byte(base64.StdEncoding.EncodeToString(body))
	}
	h := call.header()
	h.Set("Accept", media)
	h.Set("X-Grpc-Web", "1")
	res, err := open(ctx, c, call, h, media, body)
	if err != nil {
		return err
	}
	s.Answer.HTTP, s.Answer.Header = res.StatusCode, res.Header.Clone()
	from := io.Reader(res.Body)
	if asText {
		from = bufio.NewReader(pieceReader{res.Body})
	}
	s.next = func(into proto.Message) (bool, error) {
		flag, content, err := readEnvelope(from)
		switch {
		case errors.Is(err, io.EOF): // refused: the status is among the headers
			return true, s.Answer.readTrailers(res.Header, nil, nil)
		case err != nil:
			return true, err
		case flag == 0:
			return false, proto.Unmarshal(content, into)
		case flag != 0x80:
			return true, fmt.Errorf("%w: flag %#x", errNoAnswer, flag)
		}
		trailers, err := textproto.NewReader(bufio.NewReader(io.MultiReader(
			bytes.NewReader(content), strings.NewReader("\r\n")))).ReadMIMEHeader()
		if err != nil {
			return true, err
		}
		return true, s.Answer.readTrailers(http.Header(trailers), nil, nil)
	}
	return nil
}

func (s *Stream) openConnect(ctx context.Context, c *Client, call Call, asJSON bool) error {
	media, marshal, unmarshal := "application/connect+proto", proto.Marshal, proto.Unmarshal
	if asJSON {
		media, marshal, unmarshal = "application/connect+json", protojson.Marshal, protojson.Unmarshal
	}
	message, err := marshal(call.Request)
	if err != nil {
		return err
	}
	h := call.header()
	h.Set("Connect-Protocol-Version", "1")
	res, err := open(ctx, c, call, h, media, envelope(message))
	if err != nil {
		return err
	}
	s.Answer.HTTP, s.Answer.Header = res.StatusCode, res.Header.Clone()
	s.next = func(into proto.Message) (bool, error) {
		flag, content, err := readEnvelope(res.Body)
		switch {
		case err != nil:
			return true, err
		case flag == 0:
			return false, unmarshal(content, into)
		case flag != 2:
			return true, fmt.Errorf("%w: flag %#x", errNoAnswer, flag)
		}
		var end struct{ Error json.RawMessage }
		if err := json.Unmarshal(content, &end); err != nil {
			return true, err
		}
		if end.Error == nil {
			s.Answer.Code = codes.OK
			return true, nil
		}
		return true, s.Answer.readConnectError(end.Error)
	}
	return nil
}
