package lab;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.SocketAddress;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.AbstractSelector;
import java.nio.channels.spi.SelectorProvider;
import sun.nio.ch.DefaultSelectorProvider;

/**
 * Servers that ask for every address of the machine get the node's own (-Dlab.ip, else 127.0.0.1).
 *
 * <p>YARN's ShuffleHandler, Spark's shuffle service and MapReduce's application masters bind the wildcard address and
 * offer no setting for it; a lab listens on loopback alone, each node on its address with EMR's own ports. Chosen by
 * -Djava.nio.channels.spi.SelectorProvider=lab.LoopbackSelectorProvider, and needs
 * --add-exports=java.base/sun.nio.ch=ALL-UNNAMED. All but server sockets is the platform's own.
 */
public class LoopbackSelectorProvider extends SelectorProvider {
  private final SelectorProvider platform = DefaultSelectorProvider.get();

  /** The address to bind instead of {@code wanted}. */
  static SocketAddress narrowed(SocketAddress wanted) throws IOException {
    int port = 0;
    if (wanted instanceof InetSocketAddress address) {
      if (address.isUnresolved() || !address.getAddress().isAnyLocalAddress()) {
        return wanted;
      }
      port = address.getPort();
    } else if (wanted != null) {
      return wanted;
    }
    return new InetSocketAddress(InetAddress.getByName(System.getProperty("lab.ip", "127.0.0.1")), port);
  }

  @Override
  public ServerSocketChannel openServerSocketChannel() throws IOException {
    return new LoopbackServerSocketChannel(this, platform.openServerSocketChannel());
  }

  @Override
  public ServerSocketChannel openServerSocketChannel(ProtocolFamily family) throws IOException {
    ServerSocketChannel channel = platform.openServerSocketChannel(family);
    return "UNIX".equals(family.name()) ? channel : new LoopbackServerSocketChannel(this, channel);
  }

  @Override
  public AbstractSelector openSelector() throws IOException {
    return platform.openSelector();
  }

  @Override
  public SocketChannel openSocketChannel() throws IOException {
    return platform.openSocketChannel();
  }

  @Override
  public SocketChannel openSocketChannel(ProtocolFamily family) throws IOException {
    return platform.openSocketChannel(family);
  }

  @Override
  public DatagramChannel openDatagramChannel() throws IOException {
    return platform.openDatagramChannel();
  }

  @Override
  public DatagramChannel openDatagramChannel(ProtocolFamily family) throws IOException {
    return platform.openDatagramChannel(family);
  }

  @Override
  public Pipe openPipe() throws IOException {
    return platform.openPipe();
  }

  @Override
  public Channel inheritedChannel() throws IOException {
    return platform.inheritedChannel();
  }
}
