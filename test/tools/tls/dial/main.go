// Dials TLS servers the way Determined's agent does: root certificates from one PEM text only, or without one those Go finds
// on the machine, the server name it was given, TLS 1.2 or newer, with a client certificate if it was given one. With a path it
// asks for an upgrade there, and the error is the status of the answer unless that is 101. Reads a JSON list of jobs, writes a JSON object from job to error text (empty: joined).
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

type job struct {
	ID              string `json:"id"`
	Host            string `json:"host"`
	Port            int    `json:"port"`
	AnchorsPEM      string `json:"anchorsPem"`
	CertificateName string `json:"certificateName"`
	ClientPEM       string `json:"clientPem"`
	ClientKeyPEM    string `json:"clientKeyPem"`
	Path            string `json:"path"`
}

func dial(j job) error {
	// Nil: what Go finds by itself, SSL_CERT_FILE first.
	var roots *x509.CertPool
	if j.AnchorsPEM != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(j.AnchorsPEM)) {
			return errors.New("certificate file contains no certificates")
		}
	}
	host := j.Host
	if host == "" {
		host = "127.0.0.1"
	}
	name := j.CertificateName
	if name == "" {
		name = host
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	config := &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}
	if j.ClientPEM != "" {
		pair, err := tls.X509KeyPair([]byte(j.ClientPEM), []byte(j.ClientKeyPEM))
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	conn, err := tls.DialWithDialer(dialer, "tcp", fmt.Sprintf("%s:%d", host, j.Port), config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if j.Path == "" {
		return nil
	}
	return upgrade(conn, j.Path)
}

// A server of TLS 1.3 refuses a client certificate only after the client has finished the handshake.
func upgrade(conn net.Conn, path string) error {
	request, err := http.NewRequest("GET", "http://master"+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Version", "13")
	request.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := request.Write(conn); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func main() {
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	results := make(map[string]string, len(jobs))
	var lock sync.Mutex
	var group sync.WaitGroup
	for _, j := range jobs {
		group.Add(1)
		go func() {
			defer group.Done()
			text := ""
			if err := dial(j); err != nil {
				text = err.Error()
			}
			lock.Lock()
			defer lock.Unlock()
			results[j.ID] = text
		}()
	}
	group.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(1)
	}
}
