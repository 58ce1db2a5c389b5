"""The face latent model: encoders, the two warps and the decoder, wired as in VASA-1 section 3.1.

How the warps compose, all in the single-resample form:
  into canonical space   V(c) = V_posed(theta_s(c + delta_s(c)))
  out of it              V_out(p) = V(q + delta_d(q)),  q = theta_d^-1(p)
The non-rigid offsets always act in canonical space. Volumes reach -1..1 in x and y and
+-`depth_extent` in z, canonical units.

Convolutions run in the configuration's `dtype`; parameters, poses, codes, norms' statistics, warp coordinates and
images are float32. `block` are options of every residual block, among them what the backward pass computes again.
"""

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float

from vasa_jax.models.aligned_generator import portrait_colours
from vasa_jax.models.appearance_encoder import AppearanceEncoder
from vasa_jax.models.canonical_unet import CanonicalUNet
from vasa_jax.models.dynamics_encoder import DynamicsEncoder, PoseShare, aligned_crop
from vasa_jax.models.generators import GENERATORS, kind_of, moves_source
from vasa_jax.models.identity_encoder import IdentityEncoder
from vasa_jax.models.pose_encoder import PoseEncoder
from vasa_jax.models.warp_field import WarpField
from vasa_jax.ops.rotations import inverse_transform, transform
from vasa_jax.ops.warp import grid_sample, identity_grid


@flax.struct.dataclass
class FaceLatents:
    """What is kept of a portrait: the cacheable canonical volume, who, and how it was posed when taken.

    [r, ...] are those of r sessions that a mapped program takes.
    """

    appearance: Float[Array, "*r b z y x c"]
    """Of one portrait ([1, z, y, x, c]) it serves any number of poses and codes at once."""
    identity: Float[Array, "*r b 4 4 i"]
    pose: Float[Array, "*r b 7"]
    dynamics: Float[Array, "*r b d"]
    image: Float[Array, "*r b h w 3"] | None = None
    """The source image itself, for generators that move it (`generators.moves_source`)."""
    origins: Float[Array, "*r b z y x 2"] | None = None
    """For those, where in the image each canonical place came from, as an offset so that it extrapolates."""
    colours: Float[Array, "*r b 3 4"] | None = None
    """The portrait's colour frame (`ops.colour`), for the aligned generator."""


class FaceLatentModel(nn.Module):
    """V_app, z_id, z_pose, z_dyn = encode(image); image = decode(V_app, z_id, z_pose, z_dyn)."""

    config: ml_collections.FrozenConfigDict

    def setup(self):
        c = self.config
        self.dtype = jnp.dtype(c.get("dtype", "float32"))
        block = flax.core.FrozenDict(c.get("block", {}))
        self.sample = jax.checkpoint(grid_sample, static_argnums=2) if block.get("remat") else grid_sample
        self.appearance_encoder = AppearanceEncoder(**c.appearance, block=block)
        self.identity_encoder = IdentityEncoder(**c.identity, block=block)
        self.pose_encoder = PoseEncoder(**c.pose, block=block)
        self.dynamics_encoder = DynamicsEncoder(**c.dynamics, block=block)
        self.pose_share = PoseShare(c.dynamics.features) if c.get("pose_share", False) else None
        self.warp_in = WarpField(**c.warp, block=block)
        self.warp_out = WarpField(**c.warp, block=block)
        self.canonical_unet = CanonicalUNet(**c.canonical, block=block)
        kind, options = kind_of(c.generator)
        self.aligned, self.moves_source = kind == "aligned", moves_source(c.generator)
        self.generator = GENERATORS[kind](**options, block=block)
        self.label_head = nn.Dense(6)

    # ---- encode -------------------------------------------------------------------------------------

    def encode_pose(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 7"]:
        """z_pose of an image."""
        return self.pose_encoder(image.astype(self.dtype))

    def encode_identity(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 4 4 c"]:
        """z_id of an image."""
        return self.identity_encoder(image.astype(self.dtype))

    def encode_face(
        self, face: Float[Array, "b s s 3"], pose: Float[Array, "b 7"], deterministic: bool = True
    ) -> Float[Array, "b d"]:
        """z_dyn of an aligned face (`aligned_crop`) that was in that pose."""
        code = self.dynamics_encoder(face.astype(self.dtype), deterministic)
        return code if self.pose_share is None else code - self.pose_share(pose)

    def code_in_pose(self, dynamics: Float[Array, "b d"], pose: Float[Array, "b 7"]) -> Float[Array, "b d"]:
        """z_dyn as the warps and the generator take it: with what a pose adds (`PoseShare`)."""
        return dynamics if self.pose_share is None else dynamics + self.pose_share(pose)

    def encode_motion(self, image: Float[Array, "b h w 3"]) -> tuple[Float[Array, "b 7"], Float[Array, "b d"]]:
        """z_pose and z_dyn of an image in 0..1."""
        pose = self.encode_pose(image)
        return pose, self.encode_face(aligned_crop(image, pose, self.config.face_size), pose)

    def encode(
        self,
        image: Float[Array, "b h w 3"],
        pose: Float[Array, "b 7"] | None = None,
        dynamics: Float[Array, "b d"] | None = None,
    ) -> FaceLatents:
        """All latents of an image in 0..1; a known pose (or code) may be given instead of estimated."""
        return self.encode_with_offsets(image, pose, dynamics)[0]

    def encode_with_offsets(
        self, image: Array, pose: Array | None = None, dynamics: Array | None = None
    ) -> tuple[FaceLatents, Float[Array, "b z y x 3"]]:
        """`encode`, and the non-rigid offsets of the warp into canonical space for the geometry loss."""
        if pose is None:
            pose = self.encode_pose(image)
        if dynamics is None:
            dynamics = self.encode_face(aligned_crop(image, pose, self.config.face_size), pose)
        identity = self.encode_identity(image)
        posed = self.appearance_encoder(image.astype(self.dtype))
        grid = self._grid(posed.shape[1:4])[None]
        offsets = self.warp_in(self.code_in_pose(dynamics, pose), identity)
        coords = self._posed(pose, grid + offsets * self._reach())
        canonical = self.canonical_unet(self.sample(posed, self._normalised(coords), self.config.padding))
        moved = {"image": image, "origins": (coords - grid)[..., :2]} if self.moves_source else {}
        colours = portrait_colours(image, pose) if self.aligned else None
        return FaceLatents(canonical, identity, pose, dynamics, colours=colours, **moved), offsets

    # ---- decode -------------------------------------------------------------------------------------

    def decode(
        self, latents: FaceLatents, pose: Float[Array, "b 7"], dynamics: Float[Array, "b d"]
    ) -> Float[Array, "b h w 3"]:
        """The person of `latents` with another pose and dynamics; image in 0..1."""
        return self.render(latents, pose, dynamics)["image"]

    def render(
        self, latents: FaceLatents, pose: Float[Array, "b 7"], dynamics: Float[Array, "b d"]
    ) -> dict[str, Array]:
        """`decode` with what the losses look at: "image", "offsets" and, with a skip, its parts."""
        inputs, offsets = self.generator_inputs(latents, pose, dynamics)
        return self.generate(**inputs) | {"offsets": offsets}

    def generator_inputs(
        self, latents: FaceLatents, pose: Float[Array, "b 7"], dynamics: Float[Array, "b d"]
    ) -> tuple[dict[str, Array], Float[Array, "b z y x 3"]]:
        """What the generator is given (arguments of `generate`), and the offsets of the warp out of canonical space."""
        identity, image, colours = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (pose.shape[0], *x.shape[1:])),
            (latents.identity, latents.image, latents.colours),
        )
        code = self.code_in_pose(dynamics, pose)
        offsets = self.warp_out(code, identity)
        places = self.canonical_places(offsets, pose)
        inputs = {"dynamics": code}
        if self.moves_source:
            # Read at the same places as the volume: together, so that these are worked out once.
            assert latents.origins is not None  # `encode` gives such a generator's portraits theirs
            both = jnp.concatenate([latents.appearance, latents.origins], -1)
            sampled = self._sample_canonical(both, places)
            inputs |= {"volume": sampled[..., :-2], "flow": places[..., :2] + sampled[..., -2:], "image": image}
        else:
            inputs["volume"] = self._sample_canonical(latents.appearance, places)
        if self.aligned:
            inputs |= {"pose": pose, "colours": colours}
        return inputs, offsets

    def generate(self, volume: Float[Array, "b z y x c"], **inputs: Array) -> dict[str, Array]:
        """The generator alone."""
        return self.generator(volume.astype(self.dtype), **inputs)

    def _sample_canonical(self, appearance: Array, places: Array) -> Array:
        """The volume at `places`; one volume for all of them is read in place instead of being copied for each."""
        coords, batch = self._normalised(places), places.shape[0]
        if appearance.shape[0] == 1 < batch:
            coords = coords.reshape(1, batch * coords.shape[1], *coords.shape[2:])
        sampled = self.sample(appearance, coords, "border")
        return sampled.reshape(*places.shape[:-1], sampled.shape[-1])

    def canonical_places(
        self, offsets: Float[Array, "b z y x 3"], pose: Float[Array, "b 7"]
    ) -> Float[Array, "b z y x 3"]:
        """For each place of the output volume, the canonical place whose content is shown there."""
        grid = self._grid(offsets.shape[1:4])
        rigid = inverse_transform(pose, jnp.broadcast_to(grid.reshape(1, -1, 3), (pose.shape[0], grid.size // 3, 3)))
        rigid = rigid.reshape(pose.shape[0], *grid.shape)
        return rigid + self.sample_offsets(offsets, rigid)

    def sample_offsets(self, offsets: Array, points: Float[Array, "b *s 3"]) -> Float[Array, "b *s 3"]:
        """A warp generator's offsets (canonical units) at canonical points."""
        return grid_sample(offsets, self._normalised(points), "border") * self._reach()

    def read_labels(self, dynamics: Float[Array, "b d"]) -> dict[str, Float[Array, "b 2"]]:
        """Mouth (opening, rounding), lid closure and eye-in-head angles as a linear reading of z_dyn."""
        mouth, lids, eyes = jnp.split(self.label_head(dynamics), 3, -1)
        return {"mouth": mouth * 0.1, "lids": lids, "eyes": eyes * 0.2}

    # ---- coordinates --------------------------------------------------------------------------------

    def _grid(self, shape: tuple[int, ...]) -> Float[Array, "z y x 3"]:
        return identity_grid(shape) * jnp.asarray([[[[1.0, 1.0, self.config.depth_extent]]]])

    def _normalised(self, places: Array) -> Array:
        extents = jnp.asarray([1.0, 1.0, self.config.depth_extent])
        return places / jnp.expand_dims(extents, range(places.ndim - 1))

    def _reach(self) -> float:
        return self.config.offset_reach

    def _posed(self, pose: Array, places: Array) -> Array:
        return transform(pose, places.reshape(pose.shape[0], -1, 3)).reshape(places.shape)

    def __call__(self, source: Float[Array, "b h w 3"], driver: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Encode, decode and every head once, which is what `init` needs."""
        pose, dynamics = self.encode_motion(driver)
        self.read_labels(dynamics)
        return self.decode(self.encode(source), pose, dynamics)
