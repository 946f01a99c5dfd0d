import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pcbin[train]")
from scipy import integrate, special, stats

from pcbin.train import latents
from pcbin.train.config import LatentConfig


def test_normal_kl_against_an_integral() -> None:
    mean, log_variance = 0.7, -1.1
    q, p = stats.norm(mean, np.exp(0.5 * log_variance)), stats.norm()
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -8, 8)
    kl = latents.normal_kl(torch.tensor([[mean, mean]]), torch.tensor([[log_variance, log_variance]]))
    assert float(kl) == pytest.approx(2 * expected, rel=1e-5)
    assert expected > 0


@pytest.mark.parametrize("kind", ["normal", "mixture", "beta"])
def test_the_kl_of_the_terms_has_the_sign_of_a_cost(kind: str) -> None:
    """Zero where the posterior is the prior, and larger the farther it is from it."""
    latent = latents.latent_of(LatentConfig(kind=kind, size=4, components=1, spread=0.0))
    inverse_softplus = np.log(np.expm1(latents.PRIOR_BETA))
    prior = torch.full((1, latent.parameters_needed), inverse_softplus if kind == "beta" else 0.0)

    def kl(raw: torch.Tensor) -> float:
        return float(latent.terms(raw, lambda z, rows=None: torch.zeros(len(z))).kl.detach())

    offset = torch.linspace(0.5, 1, latent.parameters_needed)
    near, far = kl(prior + offset), kl(prior + 3 * offset)
    assert kl(prior) == pytest.approx(0, abs=1e-4)
    assert 0.1 < near < far


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 3.0), (0.5, 0.8), (30.0, 1.5)])
def test_beta_kl_against_an_integral(alpha: float, beta: float) -> None:
    q, p = stats.beta(alpha, beta), stats.beta(latents.PRIOR_BETA, latents.PRIOR_BETA)
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), 0, 1, limit=200)
    kl = latents.beta_kl(torch.tensor([[alpha]]), torch.tensor([[beta]]))
    assert float(kl) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.01, 0.01), (0.001, 0.7), (0.03, 0.02)])
def test_beta_kl_in_closed_form_at_small_concentrations(alpha: float, beta: float) -> None:
    a = latents.PRIOR_BETA
    expected = (
        special.betaln(a, a)
        - special.betaln(alpha, beta)
        + (alpha - a) * special.digamma(alpha)
        + (beta - a) * special.digamma(beta)
        + (2 * a - alpha - beta) * special.digamma(alpha + beta)
    )
    double = torch.tensor([[alpha]], dtype=torch.float64), torch.tensor([[beta]], dtype=torch.float64)
    assert float(latents.beta_kl(*double)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(0.01, 0.01), (0.02, 0.01), (0.5, 2.0), (40.0, 30.0)])
def test_beta_samples_follow_the_distribution(alpha: float, beta: float) -> None:
    torch.manual_seed(0)
    n = 20_000
    z = latents.beta_sample(torch.full((n,), alpha), torch.full((n,), beta)).numpy().astype(float)
    assert z.mean() == pytest.approx(alpha / (alpha + beta), abs=4 * stats.beta(alpha, beta).std() / np.sqrt(n))
    for edge in (0.001, 0.1, 0.5, 0.9, 0.999):
        expected = stats.beta(alpha, beta).cdf(edge)
        assert (z <= edge).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / n) + 1e-9)


def test_log_gamma_samples_follow_the_distribution() -> None:
    torch.manual_seed(1)
    for concentration in (0.05, 1.0, 7.0):
        samples = latents.log_gamma_sample(torch.full((20_000,), concentration)).numpy()
        assert stats.kstest(np.exp(samples), stats.gamma(concentration).cdf).pvalue > 1e-3


def test_beta_sample_gradient_moves_the_mean() -> None:
    """d E[z] / d alpha = beta / (alpha + beta)^2, which finite differences of the mean confirm."""
    torch.manual_seed(2)
    n, alpha, beta = 200_000, 1.5, 2.5
    concentration = torch.full((n,), alpha, dtype=torch.float64, requires_grad=True)
    latents.beta_sample(concentration, torch.full((n,), beta, dtype=torch.float64)).sum().backward()
    step = 1e-4
    difference = ((alpha + step) / (alpha + step + beta) - (alpha - step) / (alpha - step + beta)) / (2 * step)
    assert float(concentration.grad.mean()) == pytest.approx(difference, rel=0.02)


@pytest.mark.parametrize("kind", sorted(latents.LATENTS))
def test_gradients_of_the_kl_against_finite_differences(kind: str) -> None:
    torch.manual_seed(3)
    latent = latents.latent_of(LatentConfig(kind=kind, size=4, components=3)).double()
    raw = torch.randn(2, latent.parameters_needed, dtype=torch.float64, requires_grad=True)

    def kl(raw: torch.Tensor) -> torch.Tensor:
        return latent.terms(raw, lambda z, rows=None: z.sum(1).detach() * 0).kl

    if kind == "plain":
        assert torch.all(kl(raw) == 0)
        return
    if kind == "beta":  # works in float32 inside
        (gradient,) = torch.autograd.grad(kl(raw).sum(), raw)
        step = 1e-2
        for column in range(raw.shape[1]):
            bump = torch.zeros_like(raw)
            bump[:, column] = step
            difference = (kl(raw + bump) - kl(raw - bump)).detach() / (2 * step)
            torch.testing.assert_close(gradient[:, column], difference.double(), rtol=0.02, atol=0.02)
        return
    assert torch.autograd.gradcheck(kl, raw)


def test_mixture_elbo_is_the_sum_over_components() -> None:
    torch.manual_seed(4)
    config = LatentConfig(kind="mixture", size=3, components=4, sum_below=0.0)
    latent = latents.Mixture(config)
    raw = torch.randn(5, latent.parameters_needed)
    logits, mean, log_variance = latent.split(raw)
    weights = torch.softmax(logits, 1).detach().numpy()
    means = latent.means.detach().numpy()
    expected = np.zeros(5)
    for i in range(5):
        for y in range(4):
            sigma = np.exp(0.5 * log_variance[i, y].detach().numpy())
            gap = mean[i, y].detach().numpy() - means[y]
            component = (0.5 * (sigma**2 + gap**2 - 1) - np.log(sigma)).sum()
            expected[i] += weights[i, y] * (component + np.log(weights[i, y] * 4))
    terms = latent.terms(raw, lambda z, rows=None: torch.ones(len(z)))
    np.testing.assert_allclose(terms.kl.detach().numpy(), expected, rtol=1e-4)
    np.testing.assert_allclose(terms.error.detach().numpy(), 1.0, rtol=1e-5)  # the weights sum to one


def test_mixture_leaves_unlikely_components_undecoded() -> None:
    latent = latents.Mixture(LatentConfig(kind="mixture", size=3, components=4, sum_below=1e-3))
    raw = torch.zeros(2, latent.parameters_needed)
    raw[:, 0] = 20.0
    decoded = []
    latent.terms(raw, lambda z, rows=None: decoded.append(len(z)) or torch.ones(len(z)))
    assert decoded == [2]


def test_beta_bits_are_where_alpha_exceeds_beta() -> None:
    latent = latents.BinaryBeta(LatentConfig(size=8))
    raw = torch.randn(3, 16)
    alpha, beta = latent.split(raw)
    assert torch.equal(latent.bits(raw).bool(), alpha > beta)
    assert torch.equal(latent.bits(raw).bool(), latent.mode(raw) > 0.5)


def decoded(latent: latents.Latent, raw: torch.Tensor, rounding: latents.Rounding) -> torch.Tensor:
    """The latents that the terms reconstruct from."""
    seen: list[torch.Tensor] = []
    latent.terms(raw, lambda z, rows=None: seen.append(z) or z.sum(1), rounding)
    return seen[0].detach()


def test_rounded_latents_are_bits_and_their_gradient_reaches_the_encoder() -> None:
    latent = latents.BinaryBeta(LatentConfig(size=8))
    raw = torch.randn(3, 16, requires_grad=True)
    rounding = latents.Rounding(torch.full((3,), 8))
    torch.testing.assert_close(decoded(latent, raw, rounding), latent.bits(raw))
    terms = latent.terms(raw, lambda z, rows=None: z.sum(1), rounding)
    (gradient,) = torch.autograd.grad(terms.error.sum(), raw)
    (through_mean,) = torch.autograd.grad(latent.mode(raw).sum(), raw)
    torch.testing.assert_close(gradient, through_mean)


def test_groups_that_are_left_out_are_neither_decoded_nor_paid_for() -> None:
    torch.manual_seed(5)
    latent = latents.BinaryBeta(LatentConfig(size=8, groups=3))
    raw = torch.randn(4, latent.parameters_needed, requires_grad=True)
    found = 1 - latent.all_bits(raw[:2])
    rounding = latents.Rounding(torch.tensor([8, 24, 16, 8]), found)
    z = decoded(latent, raw, rounding)
    torch.testing.assert_close(z[0, :8], found[0, :8])
    torch.testing.assert_close(z[1], found[1])
    torch.testing.assert_close(z[2, :16], latent.all_bits(raw)[2, :16])
    assert all((z[row, length:] == 0.5).all() for row, length in enumerate(rounding.lengths.tolist()))
    terms = latent.terms(raw, lambda z, rows=None: z.sum(1), rounding)
    alpha, beta = latent.split(raw)
    torch.testing.assert_close(terms.kl[2], latents.beta_kl(alpha, beta)[2, :16].sum())
    (gradient,) = torch.autograd.grad((terms.error + terms.kl).sum(), raw)
    for side in gradient.chunk(2, 1):
        assert not side[0, 8:].any()
        assert not side[3, 8:].any()
        assert side[1].all()
