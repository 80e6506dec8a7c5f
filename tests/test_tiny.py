"""A minute's worth of trust in five seconds: run this first."""

import jtorch as torch


def test_a_line_is_learned():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 20).unsqueeze(1)
    y = 3 * x - 2
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(60):
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-4


def test_views_share_and_remember():
    x = torch.zeros(2, 3)
    v = x.t()[1]
    v += 5
    assert x.tolist() == [[0, 5, 0], [0, 5, 0]]
