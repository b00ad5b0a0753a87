package lab;

import java.io.FileDescriptor;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.Set;
import sun.nio.ch.SelChImpl;
import sun.nio.ch.SelectionKeyImpl;

/** A platform server channel whose wildcard binds are narrowed; the platform's selectors take it for one of theirs. */
final class LoopbackServerSocketChannel extends ServerSocketChannel implements SelChImpl {
  private final ServerSocketChannel channel;
  private final SelChImpl selectable;
  private final ServerSocket socket;

  LoopbackServerSocketChannel(SelectorProvider provider, ServerSocketChannel channel) throws IOException {
    super(provider);
    this.channel = channel;
    this.selectable = (SelChImpl) channel;
    this.socket = new LoopbackServerSocket(this, channel.socket());
  }

  @Override
  public ServerSocketChannel bind(SocketAddress local, int backlog) throws IOException {
    check();
    channel.bind(LoopbackSelectorProvider.narrowed(local), backlog);
    return this;
  }

  @Override
  public <T> ServerSocketChannel setOption(SocketOption<T> name, T value) throws IOException {
    channel.setOption(name, value);
    return this;
  }

  @Override
  public <T> T getOption(SocketOption<T> name) throws IOException {
    return channel.getOption(name);
  }

  @Override
  public Set<SocketOption<?>> supportedOptions() {
    return channel.supportedOptions();
  }

  @Override
  public ServerSocket socket() {
    return socket;
  }

  @Override
  public SocketChannel accept() throws IOException {
    check();
    return channel.accept();
  }

  /** Closed is closed, even while the descriptor waits for its selector. */
  private void check() throws ClosedChannelException {
    if (!isOpen()) {
      throw new ClosedChannelException();
    }
  }

  @Override
  public SocketAddress getLocalAddress() throws IOException {
    return channel.getLocalAddress();
  }

  @Override
  protected void implConfigureBlocking(boolean block) throws IOException {
    channel.configureBlocking(block);
  }

  /** While a selector knows the descriptor it must stay open (its number could be given out anew): kill() follows. */
  @Override
  protected void implCloseSelectableChannel() throws IOException {
    if (!isRegistered()) {
      channel.close();
    }
  }

  /** A selector has let go of the closed channel. */
  @Override
  public void kill() throws IOException {
    channel.close();
  }

  @Override
  public FileDescriptor getFD() {
    return selectable.getFD();
  }

  @Override
  public int getFDVal() {
    return selectable.getFDVal();
  }

  @Override
  public boolean translateAndUpdateReadyOps(int ops, SelectionKeyImpl key) {
    return selectable.translateAndUpdateReadyOps(ops, key);
  }

  @Override
  public boolean translateAndSetReadyOps(int ops, SelectionKeyImpl key) {
    return selectable.translateAndSetReadyOps(ops, key);
  }

  @Override
  public int translateInterestOps(int ops) {
    return selectable.translateInterestOps(ops);
  }

  @Override
  public String toString() {
    return channel.toString();
  }
}
