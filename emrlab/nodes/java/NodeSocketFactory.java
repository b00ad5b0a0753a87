package lab;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.apache.hadoop.net.StandardSocketFactory;

/**
 * Hadoop's RPC and HDFS clients speak from their node's own address (-Dlab.ip).
 *
 * <p>The kernel lets every connection to 127.x.y.z leave from 127.0.0.1, and the NameNode takes the address that a
 * DataNode speaks from for the DataNode's. The other createSocket methods of the base class go through the first one.
 */
public class NodeSocketFactory extends StandardSocketFactory {
  @Override
  public Socket createSocket() throws IOException {
    Socket socket = super.createSocket();
    String ip = System.getProperty("lab.ip");
    if (ip != null) {
      socket.bind(new InetSocketAddress(ip, 0));
    }
    return socket;
  }

  /** Somewhere else than this machine a socket of a loopback address could not go. */
  @Override
  public Socket createSocket(InetAddress to, int port) throws IOException {
    Socket socket = to.isLoopbackAddress() ? createSocket() : super.createSocket();
    socket.connect(new InetSocketAddress(to, port));
    return socket;
  }

  /** The caller names the address to speak from: it is his. */
  @Override
  public Socket createSocket(InetAddress to, int port, InetAddress from, int fromPort) throws IOException {
    Socket socket = super.createSocket();
    socket.bind(new InetSocketAddress(from, fromPort));
    socket.connect(new InetSocketAddress(to, port));
    return socket;
  }

  @Override
  public Socket createSocket(String to, int port) throws IOException {
    return createSocket(InetAddress.getByName(to), port);
  }

  @Override
  public Socket createSocket(String to, int port, InetAddress from, int fromPort) throws IOException {
    return createSocket(InetAddress.getByName(to), port, from, fromPort);
  }
}
